//! What a shared screen gets of what a line carries, and how it is encoded.
//!
//! The screen comes before the camera: whoever shares one wants it to be read, and a small face says
//! as much as a large one. It is encoded once for everybody, in its own size: text that was scaled
//! down cannot be read. So there is one bitrate, which the weakest line decides; what a line does not
//! carry makes the pictures fewer, for the encoder rather leaves pictures out than blurs them.

/// The largest picture of a screen, pixels: what is larger is scaled down to fit. More takes an
/// encoder of this kind longer than the time between two pictures.
pub const MAX_SCREEN: (u16, u16) = (1920, 1080);
/// Pictures a second of a screen on which much moves, at most: a film, a slide that comes flying.
pub const SCREEN_MAX_FPS: u16 = 30;
/// Bits a second above which nobody sees a difference: a scrolling page at full size.
const ENOUGH: u64 = 2_500_000;
/// Below this a screen is of no use: its first picture alone would take half a minute.
const LEAST: u64 = 60_000;
/// The camera keeps this share of what pictures get, in percent…
const FACE_PCT: u64 = 20;
/// …as far as a small face is of use, bits a second.
const FACE_ENOUGH: u64 = 150_000;

/// How the pictures to one person share what their line carries, bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScreenBudget {
    /// The shared screen; 0 where the line is too weak for any.
    pub screen_bps: u64,
    /// The camera.
    pub camera_bps: u64,
}

/// What the pictures of both could use, of a camera that could use this much.
#[must_use]
pub fn wanted_with_screen(camera_bps: u64) -> u64 {
    camera_bps.saturating_add(ENOUGH)
}

/// Divides what a line carries of pictures between the screen and a camera that could use
/// `camera_wanted`.
#[must_use]
pub fn divide(budget_bps: u64, camera_wanted: u64) -> ScreenBudget {
    let face = (budget_bps * FACE_PCT / 100).min(FACE_ENOUGH).min(camera_wanted);
    let screen = (budget_bps - face).min(ENOUGH);
    if screen < LEAST {
        return ScreenBudget { screen_bps: 0, camera_bps: budget_bps.min(camera_wanted) };
    }
    let camera = (budget_bps - screen).min(camera_wanted);
    ScreenBudget { screen_bps: screen, camera_bps: camera }
}

/// What the screen is encoded with for those whose lines carry this much of it; none where nobody is
/// to get it.
#[must_use]
pub fn screen_bitrate(budgets: impl IntoIterator<Item = u64>) -> Option<u32> {
    let served = budgets.into_iter().filter(|budget| *budget >= LEAST);
    served.min().map(|bitrate| bitrate.min(ENOUGH) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_comes_first_and_the_face_stays() {
        let camera = 900_000;
        assert_eq!(
            divide(1_000_000, camera),
            ScreenBudget { screen_bps: 850_000, camera_bps: 150_000 }
        );
        assert_eq!(
            divide(500_000, camera),
            ScreenBudget { screen_bps: 400_000, camera_bps: 100_000 }
        );
        let open = divide(wanted_with_screen(camera), camera);
        assert_eq!(open, ScreenBudget { screen_bps: ENOUGH, camera_bps: camera });
        let without = divide(1_000_000, 0);
        assert_eq!(without, ScreenBudget { screen_bps: 1_000_000, camera_bps: 0 });
    }

    #[test]
    fn a_line_too_weak_for_a_screen_carries_the_face() {
        assert_eq!(divide(70_000, 250_000), ScreenBudget { screen_bps: 0, camera_bps: 70_000 });
        assert_eq!(divide(0, 250_000), ScreenBudget::default());
    }

    #[test]
    fn nothing_is_given_twice() {
        for budget in (0..6_000_000).step_by(10_007) {
            for camera in [0, 60_000, 250_000, 2_500_000] {
                let ScreenBudget { screen_bps, camera_bps } = divide(budget, camera);
                assert!(screen_bps + camera_bps <= budget && camera_bps <= camera);
            }
        }
    }

    #[test]
    fn the_weakest_line_that_carries_a_screen_decides() {
        assert_eq!(screen_bitrate([]), None);
        assert_eq!(screen_bitrate([0, LEAST - 1]), None);
        assert_eq!(screen_bitrate([2_000_000, 400_000, 0]), Some(400_000));
        assert_eq!(screen_bitrate([u64::MAX]), Some(ENOUGH as u32));
    }
}
