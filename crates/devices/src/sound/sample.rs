//! Between a device's samples and ours, inside the real-time callback: no allocation, no lock.

use cpal::{Data, FromSample, Sample, SampleFormat, SizedSample};
use rtrb::{Consumer, Producer};

/// Calls a function generic over the sample type for a format known only now; DSD, which is no
/// sequence of samples, is ignored.
macro_rules! for_format {
    ($format:expr, $function:ident($($argument:expr),*)) => {
        match $format {
            SampleFormat::I8 => $function::<i8>($($argument),*),
            SampleFormat::I16 => $function::<i16>($($argument),*),
            SampleFormat::I24 => $function::<cpal::I24>($($argument),*),
            SampleFormat::I32 => $function::<i32>($($argument),*),
            SampleFormat::I64 => $function::<i64>($($argument),*),
            SampleFormat::U8 => $function::<u8>($($argument),*),
            SampleFormat::U16 => $function::<u16>($($argument),*),
            SampleFormat::U24 => $function::<cpal::U24>($($argument),*),
            SampleFormat::U32 => $function::<u32>($($argument),*),
            SampleFormat::U64 => $function::<u64>($($argument),*),
            SampleFormat::F32 => $function::<f32>($($argument),*),
            SampleFormat::F64 => $function::<f64>($($argument),*),
            _ => 0,
        }
    };
}

/// Channels that count: the first two. An interface with eight inputs has the microphone on one of
/// them, and a mean over all would only be quieter.
const CHANNELS: usize = 2;

/// Moves a device's samples into the ring, as one channel; returns how many found no room.
pub(super) fn take(data: &Data, channels: usize, ring: &mut Producer<f32>) -> usize {
    for_format!(data.sample_format(), take_as(data, channels, ring))
}

/// Moves samples from the ring to all of a device's first two channels; returns how many were
/// missing, which are silent.
pub(super) fn give(data: &mut Data, channels: usize, ring: &mut Consumer<f32>) -> usize {
    for_format!(data.sample_format(), give_as(data, channels, ring))
}

fn take_as<T: SizedSample>(data: &Data, channels: usize, ring: &mut Producer<f32>) -> usize
where
    f32: FromSample<T>,
{
    let Some(samples) = data.as_slice::<T>() else { return 0 };
    let frames = samples.len() / channels;
    let count = frames.min(ring.slots());
    if let Ok(mut chunk) = ring.write_chunk(count) {
        let (first, second) = chunk.as_mut_slices();
        for (to, frame) in first.iter_mut().chain(second).zip(samples.chunks_exact(channels)) {
            let used = &frame[..channels.min(CHANNELS)];
            let sum: f32 = used.iter().map(|sample| f32::from_sample(*sample)).sum();
            *to = sum / used.len() as f32;
        }
        chunk.commit_all();
    }
    frames - count
}

fn give_as<T: SizedSample + FromSample<f32>>(
    data: &mut Data,
    channels: usize,
    ring: &mut Consumer<f32>,
) -> usize {
    let Some(samples) = data.as_slice_mut::<T>() else { return 0 };
    let frames = samples.len() / channels;
    let count = frames.min(ring.slots());
    samples.fill(T::EQUILIBRIUM);
    if let Ok(chunk) = ring.read_chunk(count) {
        let (first, second) = chunk.as_slices();
        for (frame, from) in samples.chunks_exact_mut(channels).zip(first.iter().chain(second)) {
            frame[..channels.min(CHANNELS)].fill(T::from_sample(from.clamp(-1.0, 1.0)));
        }
        chunk.commit_all();
    }
    frames - count
}

#[cfg(test)]
mod tests {
    use rtrb::RingBuffer;

    use super::*;

    fn data<T: SizedSample>(samples: &mut [T]) -> Data {
        // SAFETY: the pointer and the length are those of a live slice of the type that `FORMAT`
        // names; every test keeps the slice until it has used the result.
        #[allow(unsafe_code)]
        unsafe {
            Data::from_parts(samples.as_mut_ptr().cast(), samples.len(), T::FORMAT)
        }
    }

    fn taken<T: SizedSample>(channels: usize, samples: &mut [T]) -> Vec<f32> {
        let (mut producer, mut consumer) = RingBuffer::new(16);
        assert_eq!(take(&data(samples), channels, &mut producer), 0);
        std::iter::from_fn(|| consumer.pop().ok()).collect()
    }

    #[test]
    fn every_usual_format_becomes_one_channel_of_floats() {
        assert_eq!(taken(1, &mut [0_i16, i16::MIN, 16_384]), [0.0, -1.0, 0.5]);
        assert_eq!(taken(1, &mut [32_768_u16, 0]), [0.0, -1.0]);
        assert_eq!(taken(1, &mut [128_u8, 0]), [0.0, -1.0]);
        assert_eq!(taken(2, &mut [0.5_f32, 0.25, -1.0, 1.0]), [0.375, 0.0]);
        assert_eq!(taken(1, &mut [i32::MIN, 0]), [-1.0, 0.0]);
    }

    #[test]
    fn only_the_first_two_channels_count() {
        assert_eq!(taken(4, &mut [0.5_f32, 0.5, 1.0, 1.0]), [0.5]);
    }

    #[test]
    fn a_full_ring_drops_the_newest_and_says_so() {
        let (mut producer, consumer) = RingBuffer::new(2);
        let mut samples = [0.1_f32, 0.2, 0.3, 0.4];
        assert_eq!(take(&data(&mut samples), 1, &mut producer), 2);
        assert_eq!(consumer.slots(), 2);
    }

    #[test]
    fn an_empty_ring_is_silence_in_every_format() {
        let (mut producer, mut consumer) = RingBuffer::new(8);
        producer.push(0.5).unwrap();
        let mut floats = [9.0_f32; 6];
        assert_eq!(give(&mut data(&mut floats), 3, &mut consumer), 1);
        assert_eq!(floats, [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
        let mut unsigned = [7_u16; 2];
        assert_eq!(give(&mut data(&mut unsigned), 1, &mut consumer), 2);
        assert_eq!(unsigned, [32_768; 2]);
    }

    #[test]
    fn too_loud_is_clipped_not_wrapped() {
        let (mut producer, mut consumer) = RingBuffer::new(8);
        producer.push(3.0).unwrap();
        producer.push(-3.0).unwrap();
        let mut samples = [0_i16; 2];
        assert_eq!(give(&mut data(&mut samples), 1, &mut consumer), 0);
        assert_eq!(samples, [i16::MAX, i16::MIN]);
    }
}
