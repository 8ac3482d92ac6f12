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
 * A new connection begins with small pictures: browsers take a path to carry 300 kbit/s at first,
 * and where a picture is too large for that, Chromium takes a quarter of a minute to come back to
 * it. Ages in milliseconds since it was connected.
 */
const FIRST = [
  { age: 1_000, height: 180 },
  { age: 4_000, height: 360 },
] as const;
/** When a connection may have larger pictures. */
export const GROWTH = FIRST.map(({ age }) => age);

/** Beside a shared screen faces are small, and the browser has two pictures to encode. */
const BESIDE_SCREEN = 180;

/** What is sent of a shared screen: as it is, and rather seldom than blurred. */
export const SCREEN_SENDING: Sending = {
  active: true,
  scaleResolutionDownBy: 1,
  maxBitrate: 2_500_000,
};

/** The same for a connection so old; `null` before it carries anything. */
export function sendingAtAge(later: Sending, source: number, age: number | null): Sending {
  const first = FIRST.find((it) => (age ?? 0) < it.age);
  if (!first) return later;
  const small = Math.max(later.scaleResolutionDownBy, source / first.height);
  return { ...later, scaleResolutionDownBy: small };
}

/**
 * `shown` is how high the other side shows the picture, pixels, or `null` if it never said;
 * `others` how many people there are; `source` how high the camera's pictures are, 0 if unknown;
 * `sharing`: a screen goes beside it.
 */
export function sending(
  shown: number | null,
  others: number,
  source: number,
  sharing = false,
): Sending {
  const several = others > 1;
  const wanted = shown ?? (several ? UNSAID_AMONG_SEVERAL : UNSAID);
  // Enlarged by up to a third, a picture is still sharp enough.
  const enough = RUNGS.find(({ height }) => height * 4 >= wanted * 3) ?? RUNGS[2];
  const most = sharing ? BESIDE_SCREEN : several ? AMONG_SEVERAL : Infinity;
  const allowed = RUNGS.findLast(({ height }) => height <= most) ?? RUNGS[0];
  const rung = enough.height > allowed.height ? allowed : enough;
  return {
    active: wanted > 0,
    scaleResolutionDownBy: Math.max(1, source / rung.height),
    maxBitrate: rung.bitrate,
  };
}
