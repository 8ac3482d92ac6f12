// What a browser sends of its camera to one other person. It encodes once for each of them, so it is
// kept cheap: no more than their window shows, and no more than 360 lines in calls of three or four.

/** How the one encoding of a video sender is to be (`RTCRtpEncodingParameters`). */
export interface Sending {
  active: boolean;
  scaleResolutionDownBy: number;
  /** Bits a second. */
  maxBitrate: number;
}

/** Heights, as the app has them (`quartet_core::Rung`), and what a picture of each is worth. */
const RUNGS = [
  { height: 180, bitrate: 200_000 },
  { height: 360, bitrate: 500_000 },
  { height: 720, bitrate: 1_500_000 },
] as const;
/** The largest picture with several others: three of 720 lines are more than most machines encode. */
const AMONG_SEVERAL = 360;
/** Pixels shown by somebody who never said how many. */
const UNSAID_AMONG_SEVERAL = 360;
const UNSAID = 720;

/**
 * `shown` is how high the other side shows the picture, pixels, or `null` if it never said;
 * `others` how many people there are; `source` how high the camera's pictures are, 0 if unknown.
 */
export function sending(shown: number | null, others: number, source: number): Sending {
  const several = others > 1;
  const wanted = shown ?? (several ? UNSAID_AMONG_SEVERAL : UNSAID);
  // Enlarged by up to a third, a picture is still sharp enough.
  const enough = RUNGS.find(({ height }) => height * 4 >= wanted * 3) ?? RUNGS[2];
  const rung = several && enough.height > AMONG_SEVERAL ? RUNGS[1] : enough;
  return {
    active: wanted > 0,
    scaleResolutionDownBy: Math.max(1, source / rung.height),
    maxBitrate: rung.bitrate,
  };
}
