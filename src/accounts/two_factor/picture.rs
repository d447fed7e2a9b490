//! A text as a QR code, for a camera.

use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::types::QrError;
use secrecy::{ExposeSecret, SecretString};

/// Pixels that a module takes on either side; a camera wants to tell them apart.
const MODULE: u32 = 4;

/// Draws what nobody but the camera is to read, so the picture is as secret as its text.
pub fn as_svg(text: &SecretString) -> Result<SecretString, QrError> {
    let code = QrCode::new(text.expose_secret())?;
    let mut renderer = code.render::<svg::Color<'_>>();
    renderer.module_dimensions(MODULE, MODULE);
    Ok(renderer.build().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_element_that_does_nothing() {
        let longest = format!("otpauth://totp/Empulse:{}", "%40".repeat(254));
        for text in ["otpauth://totp/a", &longest] {
            let picture = as_svg(&text.into()).unwrap();
            let picture = picture.expose_secret();
            assert_eq!(picture.matches("<svg ").count(), 1);
            assert!(
                picture.ends_with("</svg>") && picture.contains("viewBox=\"0 0 "),
                "{picture}"
            );
            for odd in ["<script", "href", "onload", "otpauth"] {
                assert!(!picture.contains(odd), "{picture}");
            }
        }
    }

    #[test]
    fn what_no_picture_can_hold_is_refused() {
        assert!(as_svg(&"x".repeat(5_000).into()).is_err());
    }
}
