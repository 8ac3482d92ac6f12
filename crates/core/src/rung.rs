//! The sizes in which the own picture can be encoded.

use std::ops::RangeInclusive;

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

    /// The smallest rung that looks well where it is shown so many pixels high; `None` where it is
    /// not shown. Enlarged by up to a third it does: four tiles of a usual window are a little
    /// higher than 360 pixels, and need not cost 720.
    #[must_use]
    pub fn shown_at(height: u16) -> Option<Self> {
        let high_enough = |rung: &Self| u32::from(rung.size().1) * 4 >= u32::from(height) * 3;
        (height > 0).then(|| Self::ALL.into_iter().find(high_enough).unwrap_or(Self::P720))
    }

    /// The bits a second between which this rung is of use: below, a smaller picture looks better;
    /// above, nobody sees a difference. The ranges overlap, so that a rate in between need not
    /// change the rung.
    #[must_use]
    pub fn bitrates(self) -> RangeInclusive<u32> {
        match self {
            Self::P180 => 60_000..=250_000,
            Self::P360 => 150_000..=900_000,
            Self::P720 => 600_000..=2_500_000,
        }
    }

    /// The rungs that a source of this size, in pixels, can give without being enlarged, the
    /// smallest first: the smallest always, any other if the picture fills its box in one direction
    /// at least.
    #[must_use]
    pub fn offered((width, height): (u16, u16)) -> &'static [Self] {
        let fills = |rung: &Self| {
            let (max_width, max_height) = rung.size();
            width >= max_width || height >= max_height
        };
        let count = Self::ALL.iter().skip(1).take_while(|rung| fills(rung)).count();
        &Self::ALL[..=count]
    }

    /// The next smaller one.
    #[must_use]
    pub fn below(self) -> Option<Self> {
        match self {
            Self::P180 => None,
            Self::P360 => Some(Self::P180),
            Self::P720 => Some(Self::P360),
        }
    }

    /// The next larger one.
    #[must_use]
    pub fn above(self) -> Option<Self> {
        match self {
            Self::P180 => Some(Self::P360),
            Self::P360 => Some(Self::P720),
            Self::P720 => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_never_enlarged() {
        use Rung::{P180, P360, P720};
        assert_eq!(Rung::offered((1280, 720)), [P180, P360, P720]);
        assert_eq!(Rung::offered((720, 1280)), [P180, P360, P720]);
        assert_eq!(Rung::offered((960, 720)), [P180, P360, P720]);
        assert_eq!(Rung::offered((640, 480)), [P180, P360]);
        assert_eq!(Rung::offered((640, 360)), [P180, P360]);
        assert_eq!(Rung::offered((320, 240)), [P180]);
        assert_eq!(Rung::offered((160, 90)), [P180]);
        assert_eq!(Rung::offered((0, 0)), [P180]);
    }

    #[test]
    fn a_window_gets_a_picture_that_is_enlarged_by_a_third_at_most() {
        for (height, rung) in [
            (0, None),
            (1, Some(Rung::P180)),
            (240, Some(Rung::P180)),
            (241, Some(Rung::P360)),
            (480, Some(Rung::P360)),
            (481, Some(Rung::P720)),
            (u16::MAX, Some(Rung::P720)),
        ] {
            assert_eq!(Rung::shown_at(height), rung, "{height} pixels");
        }
    }

    #[test]
    fn the_ranges_of_neighbours_overlap() {
        for rung in Rung::ALL {
            if let Some(above) = rung.above() {
                assert!(above.bitrates().start() < rung.bitrates().end());
                assert_eq!(above.below(), Some(rung));
            }
        }
    }
}
