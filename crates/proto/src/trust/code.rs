//! The short code of a pair, for people to compare.

use sha2::{Digest as _, Sha256};

use super::{Fingerprint, Nonce};
use crate::PeerId;

/// An emoji and its English name.
pub type Emoji = (&'static str, &'static str);

/// What a code is made of: the 64 of Matrix's verification (Matrix specification, §11.12.2.2.6),
/// chosen there to be told apart by eye and by ear, in every font.
#[rustfmt::skip]
pub const EMOJI: [Emoji; 64] = [
    ("🐶", "Dog"), ("🐱", "Cat"), ("🦁", "Lion"), ("🐎", "Horse"),
    ("🦄", "Unicorn"), ("🐷", "Pig"), ("🐘", "Elephant"), ("🐰", "Rabbit"),
    ("🐼", "Panda"), ("🐓", "Rooster"), ("🐧", "Penguin"), ("🐢", "Turtle"),
    ("🐟", "Fish"), ("🐙", "Octopus"), ("🦋", "Butterfly"), ("🌷", "Flower"),
    ("🌳", "Tree"), ("🌵", "Cactus"), ("🍄", "Mushroom"), ("🌏", "Globe"),
    ("🌙", "Moon"), ("☁️", "Cloud"), ("🔥", "Fire"), ("🍌", "Banana"),
    ("🍎", "Apple"), ("🍓", "Strawberry"), ("🌽", "Corn"), ("🍕", "Pizza"),
    ("🎂", "Cake"), ("❤️", "Heart"), ("😀", "Smiley"), ("🤖", "Robot"),
    ("🎩", "Hat"), ("👓", "Glasses"), ("🔧", "Spanner"), ("🎅", "Santa"),
    ("👍", "Thumbs Up"), ("☂️", "Umbrella"), ("⌛", "Hourglass"), ("⏰", "Clock"),
    ("🎁", "Gift"), ("💡", "Light Bulb"), ("📕", "Book"), ("✏️", "Pencil"),
    ("📎", "Paperclip"), ("✂️", "Scissors"), ("🔒", "Lock"), ("🔑", "Key"),
    ("🔨", "Hammer"), ("☎️", "Telephone"), ("🏁", "Flag"), ("🚂", "Train"),
    ("🚲", "Bicycle"), ("✈️", "Aeroplane"), ("🚀", "Rocket"), ("🏆", "Trophy"),
    ("⚽", "Ball"), ("🎸", "Guitar"), ("🎺", "Trumpet"), ("🔔", "Bell"),
    ("⚓", "Anchor"), ("🎧", "Headphones"), ("📁", "Folder"), ("📌", "Pin"),
];

/// Four numbers below 64, equal at both ends of a pair exactly when nobody stands between them: 24
/// bits, of which nobody between can choose any, as each end has bound itself before it sees the
/// other's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; 4]);

/// One end of a pair, as far as the code goes.
#[derive(Debug, Clone, Copy)]
pub struct CodePart {
    /// Who.
    pub id: PeerId,
    /// Their certificate.
    pub fingerprint: Fingerprint,
    /// Their nonce.
    pub nonce: Nonce,
}

impl Code {
    /// The code of a pair: the first 24 bits of a SHA-256, six bits an emoji.
    #[must_use]
    pub fn new(offerer: &CodePart, answerer: &CodePart) -> Self {
        let mut hash = Sha256::new().chain_update(b"quartet code 1");
        for id in [offerer.id, answerer.id] {
            hash.update(id.to_bytes());
        }
        for fingerprint in [offerer.fingerprint, answerer.fingerprint] {
            hash.update(fingerprint.as_bytes());
        }
        for nonce in [offerer.nonce, answerer.nonce] {
            hash.update(nonce.0);
        }
        let digest = hash.finalize();
        let bits = u32::from_be_bytes([0, digest[0], digest[1], digest[2]]);
        Self([18, 12, 6, 0].map(|shift| (bits >> shift) as u8 & 63))
    }

    /// The code of these places in [`EMOJI`], if there are such places.
    #[must_use]
    pub fn from_places(places: [u8; 4]) -> Option<Self> {
        let fits = places.iter().all(|place| usize::from(*place) < EMOJI.len());
        fits.then_some(Self(places))
    }

    /// The places in [`EMOJI`].
    #[must_use]
    pub const fn places(self) -> [u8; 4] {
        self.0
    }

    /// What people compare.
    #[must_use]
    pub fn emoji(self) -> [Emoji; 4] {
        self.0.map(|place| EMOJI[usize::from(place)])
    }
}
