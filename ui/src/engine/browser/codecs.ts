// Which codecs a guest prefers: VP8 with retransmissions, and Opus with copies of what was just said
// (RED, RFC 2198) where the browser has them. Preferences only: a browser without the call for them
// negotiates what it always does, which has VP8 and Opus, too (RFC 7742, RFC 7874).

const WANTED = {
  audio: ['audio/red', 'audio/opus'],
  video: ['video/vp8', 'video/rtx'],
} as const;

export type MediaKind = keyof typeof WANTED;

/**
 * The browser's codecs, those first that are wanted. None is left out: Firefox goes on naming the
 * feedback of those, and Chromium refuses such a description.
 */
export function preferredCodecs<Codec extends { mimeType: string }>(
  kind: MediaKind,
  codecs: readonly Codec[],
): Codec[] {
  const wanted: readonly string[] = WANTED[kind];
  const place = ({ mimeType }: Codec) => {
    const index = wanted.indexOf(mimeType.toLowerCase());
    return index < 0 ? wanted.length : index;
  };
  // Sorting is stable: the others stay in the browser's own order.
  return [...codecs].sort((a, b) => place(a) - place(b));
}

export function preferCodecs(transceiver: RTCRtpTransceiver, kind: MediaKind): void {
  if (!('setCodecPreferences' in transceiver) || !('getCapabilities' in RTCRtpReceiver)) return;
  const codecs = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  try {
    transceiver.setCodecPreferences(preferredCodecs(kind, codecs));
  } catch {
    // A browser that takes none of it goes on as it likes.
  }
}
