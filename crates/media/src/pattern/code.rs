//! A number as black and white blocks that survive an encoder and scaling.

/// Blocks in a row. Two rows of 24 hold 32 bits of number and 16 of checksum; at 320×180 a block
/// is still 13×11 pixels, about a macroblock.
const COLUMNS: usize = 24;
const ROWS: usize = 2;
/// The rows take this part of the height, at the lower edge.
const HEIGHT_PART: usize = 8;
const BLACK: u8 = 24;
const WHITE: u8 = 228;
const THRESHOLD: u32 = (BLACK as u32 + WHITE as u32) / 2;

pub(super) fn draw(y: &mut [u8], width: usize, height: usize, number: u32) {
    let bits = with_checksum(number);
    for (position, (columns, rows)) in blocks(width, height).enumerate() {
        let value = if bits >> position & 1 == 1 { WHITE } else { BLACK };
        for row in rows {
            y[row * width..][columns.clone()].fill(value);
        }
    }
}

pub(super) fn read(y: &[u8], width: usize, height: usize) -> Option<u32> {
    let mut bits = 0;
    for (position, (columns, rows)) in blocks(width, height).enumerate() {
        // Edges are smeared by the encoder: the middle half of the block decides.
        let rows = middle(&rows);
        let columns = middle(&columns);
        let count = (rows.len() * columns.len()) as u32;
        let sum: u32 = rows
            .flat_map(|row| &y[row * width..][columns.clone()])
            .map(|&pixel| u32::from(pixel))
            .sum();
        if count == 0 {
            return None;
        }
        bits |= u64::from(sum / count > THRESHOLD) << position;
    }
    let number = bits as u32;
    (with_checksum(number) == bits).then_some(number)
}

/// The first row that the blocks are in.
pub(super) fn top(height: usize) -> usize {
    height - height / HEIGHT_PART
}

type Span = std::ops::Range<usize>;

/// Columns and rows of each block, the lowest bit first.
fn blocks(width: usize, height: usize) -> impl Iterator<Item = (Span, Span)> {
    let top = top(height);
    let cut = |part: usize, parts: usize, len: usize| part * len / parts;
    (0..ROWS * COLUMNS).map(move |position| {
        let (column, row) = (position % COLUMNS, position / COLUMNS);
        let columns = cut(column, COLUMNS, width)..cut(column + 1, COLUMNS, width);
        let rows = cut(row, ROWS, height - top)..cut(row + 1, ROWS, height - top);
        (columns, top + rows.start..top + rows.end)
    })
}

fn middle(span: &Span) -> Span {
    let quarter = span.len() / 4;
    span.start + quarter..span.end - quarter
}

/// The number and, above it, its CRC-16/CCITT. The CRC starts from ones, so that an all-black
/// picture shows no number.
fn with_checksum(number: u32) -> u64 {
    let mut crc: u16 = 0xffff;
    for byte in number.to_be_bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
    }
    u64::from(crc) << 32 | u64::from(number)
}
