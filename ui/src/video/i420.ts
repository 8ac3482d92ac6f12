// I420 to RGBA, for webviews that cannot decode VP8 themselves.

/** Bytes of a tightly packed I420 picture; chroma planes round up. */
export function i420Bytes(width: number, height: number): number {
  return width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
}

/**
 * Fills `rgba` (4 bytes a pixel, opaque) from `planes`. BT.601, limited range, as VP8 has it
 * (RFC 6386, section 9.2), in 16.16 fixed point. A clamped array does the clamping.
 */
export function i420ToRgba(
  planes: Uint8Array,
  width: number,
  height: number,
  rgba: Uint8ClampedArray,
): void {
  const chromaWidth = Math.ceil(width / 2);
  const uStart = width * height;
  const vStart = uStart + chromaWidth * Math.ceil(height / 2);
  let out = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width;
    const chromaRow = (y >> 1) * chromaWidth;
    for (let x = 0; x < width; x++) {
      const chroma = chromaRow + (x >> 1);
      const luma = ((planes[row + x] ?? 16) - 16) * 76309;
      const u = (planes[uStart + chroma] ?? 128) - 128;
      const v = (planes[vStart + chroma] ?? 128) - 128;
      rgba[out] = (luma + 104597 * v) >> 16;
      rgba[out + 1] = (luma - 25675 * u - 53279 * v) >> 16;
      rgba[out + 2] = (luma + 132201 * u) >> 16;
      rgba[out + 3] = 255;
      out += 4;
    }
  }
}
