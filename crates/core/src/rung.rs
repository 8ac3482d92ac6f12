//! The sizes in which the own picture can be encoded.

/// One step of the ladder of encodings. Each that somebody needs is encoded once, for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// 320 × 180: a small tile, or a line that carries no more.
    P180,
    /// 640 × 360: a tile among four.
    P360,
    /// 1280 × 720: one person on a large window, over a good line.
    P720,
}

impl Rung {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::P180, Self::P360, Self::P720];

    /// The box, in pixels, that a picture is scaled down to fit into.
    #[must_use]
    pub fn size(self) -> (u16, u16) {
        match self {
            Self::P180 => (320, 180),
            Self::P360 => (640, 360),
            Self::P720 => (1280, 720),
        }
    }
}
