import { describe, expect, it } from 'vitest';

import { FigureReader, type Counted } from '../../src/engine/browser/core/figures';

const path: Counted[] = [
  { type: 'transport', id: 'T', selectedCandidatePairId: 'P' },
  { type: 'candidate-pair', id: 'Q', currentRoundTripTime: 9 },
  {
    type: 'candidate-pair',
    id: 'P',
    localCandidateId: 'L',
    remoteCandidateId: 'R',
    currentRoundTripTime: 0.05,
    availableOutgoingBitrate: 1_200_000,
  },
  { type: 'local-candidate', id: 'L', candidateType: 'relay', relayProtocol: 'tls' },
  { type: 'remote-candidate', id: 'R', candidateType: 'srflx' },
];

/** What Chromium counts after so many seconds. */
function counted(seconds: number): Counted[] {
  return [
    ...path,
    {
      type: 'inbound-rtp',
      kind: 'video',
      bytesReceived: 50_000 * seconds,
      packetsReceived: 90 * seconds,
      packetsLost: 10 * seconds,
      frameWidth: 640,
      frameHeight: 360,
      framesPerSecond: 29,
      totalFreezesDuration: 0.5,
    },
    {
      type: 'inbound-rtp',
      kind: 'audio',
      bytesReceived: 4_000 * seconds,
      packetsReceived: 0,
      packetsLost: 0,
      jitterBufferDelay: 48_000 * 0.08 * seconds,
      jitterBufferEmittedCount: 48_000 * seconds,
      totalSamplesReceived: 48_000 * seconds,
      concealedSamples: 4_800,
      silentConcealedSamples: 2_400,
    },
    {
      type: 'outbound-rtp',
      kind: 'video',
      bytesSent: 25_000 * seconds,
      frameWidth: 320,
      frameHeight: 180,
      framesPerSecond: 15,
      qualityLimitationReason: 'bandwidth',
    },
    { type: 'outbound-rtp', kind: 'audio', bytesSent: 3_000 * seconds },
    { type: 'remote-inbound-rtp', kind: 'video', fractionLost: 0.25 },
  ];
}

describe('the figures of a browser', () => {
  it('are rates since the last reading', () => {
    const reader = new FigureReader('peer');
    const first = reader.read(1_000, counted(1), null);
    expect(first.picture_in.kbps).toBe(0);
    expect(first.loss_in).toBe(0);
    const condition = { limited_by: 'cpu', busy: true } as const;
    expect(reader.read(3_000, counted(3), condition)).toEqual({
      id: 'peer',
      path: { local: 'relay', remote: 'srflx', by_stream: true },
      rtt_ms: 50,
      estimate_kbps: 1200,
      loss_out: 0.25,
      loss_in: 0.1,
      picture_in: { width: 640, height: 360, fps: 29, kbps: 400 },
      frozen_ms: 500,
      picture_out: { width: 320, height: 180, fps: 15, kbps: 200 },
      limited_by: 'bandwidth',
      voice_in_kbps: 32,
      played_ms: 3_000,
      concealed_ms: 50,
      voice_delay_ms: 80,
      voice_out_kbps: 24,
      condition,
    });
  });

  it('begin anew with a new connection, whose counters are lower', () => {
    const reader = new FigureReader('peer');
    reader.read(1_000, counted(60), null);
    const { picture_in, loss_in } = reader.read(2_000, counted(1), null);
    expect([picture_in.kbps, loss_in]).toEqual([0, 0]);
    expect(reader.read(3_000, counted(2), null).picture_in.kbps).toBe(400);
  });

  it('are those of Firefox, too, which marks the pair and counts less', () => {
    const reader = new FigureReader('peer');
    const figures = reader.read(
      1_000,
      [
        {
          type: 'candidate-pair',
          id: 'P',
          selected: true,
          localCandidateId: 'L',
          remoteCandidateId: 'R',
        },
        { type: 'local-candidate', id: 'L', candidateType: 'host' },
        { type: 'remote-candidate', id: 'R', candidateType: 'prflx' },
        { type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.12 },
      ],
      null,
    );
    expect(figures.path).toEqual({ local: 'host', remote: 'prflx', by_stream: false });
    expect([figures.rtt_ms, figures.estimate_kbps]).toEqual([120, null]);
  });

  it('are nothing before there is a path', () => {
    const figures = new FigureReader('peer').read(1_000, [], null);
    expect([figures.path, figures.rtt_ms, figures.loss_in]).toEqual([null, null, 0]);
  });
});
