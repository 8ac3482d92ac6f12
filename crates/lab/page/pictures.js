// A worker that reads the number in every picture of the streams it is given, and tells the page
// once a second which pictures there were and when.
//
// What it costs: of each picture only the rows between the middles of the two rows of blocks are
// copied (640×24 of 640×360, 23 KB), and of those a few hundred bytes are looked at.

// As in crates/media/src/pattern/code.rs: two rows of 24 blocks at the lower edge, an eighth of the
// height; 32 bits of number and 16 of checksum, the lowest first.
const COLUMNS = 24;
const HEIGHT_PART = 8;
const THRESHOLD = 126;
/** How often the page is told, in ms. */
const TELL_EVERY = 1000;

/**
 * Stream → [[number or null, Unix ms, width, height, stamp], …] since the page was told last. The
 * stamp of an own picture is when the camera took it, in µs of the machine's monotonic clock; of
 * somebody else's, its RTP timestamp.
 */
let seen = {};

onmessage = ({ data: { stream, readable } }) => read(stream, readable.getReader());

setInterval(() => {
  postMessage({ seen });
  seen = {};
}, TELL_EVERY);

async function read(stream, reader) {
  let buffer = new Uint8Array(0);
  for (;;) {
    const { done, value: frame } = await reader.read();
    if (done) return;
    const at = performance.timeOrigin + performance.now();
    const { width, height } = frame.visibleRect;
    const [first, second] = middles(height);
    const rect = {
      x: frame.visibleRect.x,
      y: frame.visibleRect.y + first,
      width: width & ~1,
      height: second - first + 2,
    };
    let number = null;
    try {
      const needed = frame.allocationSize({ rect });
      if (buffer.length < needed) buffer = new Uint8Array(needed);
      const [luma] = await frame.copyTo(buffer, { rect });
      number = readNumber(buffer, luma, width, second - first);
    } catch (error) {
      postMessage({ error: `${stream}: ${error}` });
    }
    const stamp = frame.metadata().rtpTimestamp ?? frame.timestamp;
    frame.close();
    (seen[stream] ??= []).push([number, at, width, height, stamp]);
  }
}

/** The even rows nearest above the middles of the two rows of blocks. */
function middles(height) {
  const band = Math.floor(height / HEIGHT_PART);
  const top = height - band;
  return [top + Math.floor(band / 4), top + Math.floor((band * 3) / 4)].map((row) => row & ~1);
}

/** The number in two pairs of rows, the second pair `distance` rows below; null when there is none. */
function readNumber(data, { offset, stride }, width, distance) {
  let number = 0;
  let checksum = 0;
  for (let position = 0; position < 2 * COLUMNS; position++) {
    const column = position % COLUMNS;
    const row = position < COLUMNS ? 0 : distance;
    const left = Math.floor((column * width) / COLUMNS);
    const right = Math.floor(((column + 1) * width) / COLUMNS);
    const quarter = Math.floor((right - left) / 4);
    let sum = 0;
    for (let y = row; y < row + 2; y++) {
      for (let x = left + quarter; x < right - quarter; x++) sum += data[offset + y * stride + x];
    }
    const set = sum / (2 * (right - left - 2 * quarter)) > THRESHOLD ? 1 : 0;
    if (position < 32) number |= set << position;
    else checksum |= set << (position - 32);
  }
  number >>>= 0;
  return crc(number) === checksum ? number : null;
}

/** CRC-16/CCITT from ones, over the big-endian bytes. */
function crc(number) {
  let crc = 0xffff;
  for (let shift = 24; shift >= 0; shift -= 8) {
    crc ^= ((number >>> shift) & 0xff) << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
  }
  return crc;
}
