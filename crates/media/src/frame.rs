//! Uncompressed pictures and sound.

use std::{fmt, sync::Arc, time::SystemTime};

use quartet_core::SAMPLES_PER_10_MS;

/// 10 ms of mono sound at 48 kHz; samples in −1..=1.
pub type PcmFrame = [f32; SAMPLES_PER_10_MS];

/// One picture in planar YUV 4:2:0, limited range BT.601, both sides even.
///
/// Planes lie one behind another without padding: `width × height` bytes of Y, then a quarter of
/// that of U and of V. Cloning shares them.
#[derive(Clone)]
pub struct I420Frame {
    width: u16,
    height: u16,
    index: u64,
    captured_at: SystemTime,
    data: Arc<[u8]>,
}

impl I420Frame {
    /// Bytes of a picture of this size.
    #[must_use]
    pub fn len_for(width: u16, height: u16) -> usize {
        usize::from(width) * usize::from(height) * 3 / 2
    }

    /// A picture of these planes; `None` when a side is odd or 0, or `data` has another length
    /// than [`Self::len_for`]. `index` counts the pictures that the source gave since it was started.
    #[must_use]
    pub fn new(
        width: u16,
        height: u16,
        data: Arc<[u8]>,
        index: u64,
        captured_at: SystemTime,
    ) -> Option<Self> {
        let even = width > 0 && height > 0 && width.is_multiple_of(2) && height.is_multiple_of(2);
        (even && data.len() == Self::len_for(width, height)).then_some(Self {
            width,
            height,
            index,
            captured_at,
            data,
        })
    }

    /// Pixels.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Pixels.
    #[must_use]
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Counts the pictures that the source gave, also those that nobody took.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// When the device gave the picture, or the test source drew it.
    #[must_use]
    pub fn captured_at(&self) -> SystemTime {
        self.captured_at
    }

    /// All three planes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All three planes, shared.
    #[must_use]
    pub fn shared_data(&self) -> Arc<[u8]> {
        Arc::clone(&self.data)
    }

    /// Y, U and V.
    #[must_use]
    pub fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let luma = usize::from(self.width) * usize::from(self.height);
        let (y, chroma) = self.data.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        (y, u, v)
    }
}

impl fmt::Debug for I420Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I420Frame({}×{})", self.width, self.height)
    }
}
