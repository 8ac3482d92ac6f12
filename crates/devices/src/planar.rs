//! The planes of a picture while they are being filled.

use std::sync::Arc;

use yuv::{BufferStoreMut, YuvPlanarImageMut};

/// A picture in the making.
pub(crate) struct Target {
    width: u16,
    height: u16,
    data: Arc<[u8]>,
}

impl Target {
    /// With the even sides that fit; `None` beyond the longest side that is allowed.
    pub(crate) fn new(width: u32, height: u32, longest: u32) -> Option<Self> {
        let fits = |side: u32| (2..=longest).contains(&side);
        if !fits(width) || !fits(height) {
            return None;
        }
        let (width, height) = ((width & !1) as u16, (height & !1) as u16);
        let length = quartet_media::I420Frame::len_for(width, height);
        // Collecting a repetition allocates once, where it is shared from.
        let data = std::iter::repeat_n(0, length).collect();
        Some(Self { width, height, data })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (u32::from(self.width), u32::from(self.height))
    }

    pub(crate) fn planes(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let luma = usize::from(self.width) * usize::from(self.height);
        let data = Arc::get_mut(&mut self.data).expect("shared only when finished");
        let (y, chroma) = data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        (y, u, v)
    }

    pub(crate) fn planar(&mut self) -> YuvPlanarImageMut<'_, u8> {
        let (width, height) = self.size();
        let (y, u, v) = self.planes();
        YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: width / 2,
            width,
            height,
        }
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn finish(self) -> Option<(u16, u16, Arc<[u8]>)> {
        Some((self.width, self.height, self.data))
    }
}
