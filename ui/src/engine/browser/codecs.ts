// Which codecs a guest prefers: VP8 with retransmissions, and Opus with copies of what was just said
// (RED, RFC 2198) where the browser has them. Preferences only: a browser without the call for them
// negotiates what it always does, which has VP8 and Opus, too (RFC 7742, RFC 7874).

const WANTED = {
  audio: ['audio/red', 'audio/opus'],
  video: ['video/vp8', 'video/rtx'],
} as const;

export type MediaKind = keyof typeof WANTED;

/** Those of the browser's codecs that are wanted, in the order in which they are. */
export function wantedCodecs<Codec extends { mimeType: string }>(
  kind: MediaKind,
  codecs: readonly Codec[],
): Codec[] {
  return WANTED[kind].flatMap((type) => codecs.filter((it) => it.mimeType.toLowerCase() === type));
}

export function preferCodecs(transceiver: RTCRtpTransceiver, kind: MediaKind): void {
  if (!('setCodecPreferences' in transceiver) || !('getCapabilities' in RTCRtpReceiver)) return;
  const codecs = wantedCodecs(kind, RTCRtpReceiver.getCapabilities(kind)?.codecs ?? []);
  const essential = kind === 'audio' ? 'audio/opus' : 'video/vp8';
  if (!codecs.some((codec) => codec.mimeType.toLowerCase() === essential)) return;
  try {
    transceiver.setCodecPreferences(codecs);
  } catch {
    // A browser that takes none of it goes on as it likes.
  }
}
