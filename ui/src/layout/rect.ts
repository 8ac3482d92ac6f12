// Places in the window, in its pixels.

export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Size {
  x: number;
  y: number;
}

/** Cameras are nearly all 16:9. */
export const PICTURE = 16 / 9;
