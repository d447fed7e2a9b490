//! Where files are kept: below their kind, by their row's id, so that row and file can be told from each other.

use super::model::{AudioId, ImageId, ImageSize};
use crate::storage::Key;

/// Below it stands all music.
pub const AUDIO: &str = "audio";
/// Below it stand all pictures.
pub const IMAGE: &str = "image";

pub fn audio_key(id: AudioId) -> Key {
    Key::of_id(AUDIO, id.0)
}

pub fn image_key(id: ImageId, size: ImageSize) -> Key {
    Key::of_id(IMAGE, id.0).with(size.name())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_file_is_found_by_its_row() {
        let id = Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
        assert_eq!(
            audio_key(AudioId(id)).as_str(),
            "audio/0188bac74afa78aabc3bbd1eef28d881"
        );
        for (size, key) in [
            (
                ImageSize::Small,
                "image/0188bac74afa78aabc3bbd1eef28d881/small",
            ),
            (
                ImageSize::Medium,
                "image/0188bac74afa78aabc3bbd1eef28d881/medium",
            ),
            (
                ImageSize::Large,
                "image/0188bac74afa78aabc3bbd1eef28d881/large",
            ),
            (
                ImageSize::Original,
                "image/0188bac74afa78aabc3bbd1eef28d881/original",
            ),
        ] {
            assert_eq!(image_key(ImageId(id), size).as_str(), key);
        }
    }
}
