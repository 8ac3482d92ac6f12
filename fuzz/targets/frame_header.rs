//! The VP8 payload descriptor and the frame's own header, from any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quartet_core::vp8::{PayloadDescriptor, is_key_frame, key_frame_size};

fuzz_target!(|data: &[u8]| {
    if let Some((descriptor, length)) = PayloadDescriptor::parse(data) {
        assert!(length < data.len(), "a descriptor is followed by something");
        let _ = (descriptor.starts_frame(), descriptor.picture_id.map(|id| id.next()));
        let rest = &data[length..];
        if let Some((width, height)) = key_frame_size(rest) {
            assert!(is_key_frame(rest) && width > 0 && height > 0);
        }
    }
});
