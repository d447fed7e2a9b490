use super::*;
use crate::keys::tests::ring_text;
use uuid::Uuid;

const SECRET: Sealed = Sealed {
    table: "factors",
    key: "account_id",
    column: "secret",
};
const ROW: Uuid = Uuid::from_u128(7);

/// Keys named by letters: the same letter is the same key.
fn vault(letters: &str) -> Vault {
    let ring = ring_text(letters).parse().unwrap();
    Vault::of(&ring, "EMPULSE_ENCRYPTION_KEYS".into())
}

fn sealed(letters: &str, text: &[u8]) -> Vec<u8> {
    vault(letters).seal(&SECRET.of(ROW), text).unwrap()
}

#[track_caller]
fn opened(letters: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let text = vault(letters).open(&SECRET.of(ROW), sealed)?;
    Ok(text.expose_secret().to_vec())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter_map(|digit| (digit as char).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
}

/// draft-irtf-cfrg-xchacha-03, A.3.1.
#[test]
fn it_is_xchacha20_poly1305_as_others_compute_it() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + at as u8);
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + at as u8);
    let bound = bytes("50515253c0c1c2c3c4c5c6c7");
    let clear = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                  sunscreen would be it.";
    let key = SealingKey {
        id: "draft".into(),
        cipher: XChaCha20Poly1305::new(&key.into()),
    };
    let mut text = clear.to_vec();
    let tag = key.encrypt(&nonce, &bound, &mut text).unwrap();
    assert_eq!(
        text,
        bytes(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
             731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
             2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
             21f9664c97637da9768812f615c68b13b52e"
        )
    );
    assert_eq!(tag[..], bytes("c0875924c1c7987947deafd8780acf49"));
    key.decrypt(&nonce, &bound, &mut text, &tag).unwrap();
    assert_eq!(text, clear);
}

#[test]
fn what_was_sealed_opens_again() {
    for text in [&b""[..], b"x", &[0; 20], &[7; 5_000]] {
        let sealed = sealed("a", text);
        assert_eq!(opened("a", &sealed).as_deref(), Ok(text));
        assert_eq!(sealed.len(), 2 + 5 + 24 + text.len() + 16);
    }
}

/// One that an earlier release sealed opens in each later one. This one was computed apart from this code.
#[test]
fn the_form_stays() {
    let sealed = bytes(
        "01056b65792d61000102030405060708090a0b0c0d0e0f1011121314151617f16c16a795ee207d6f
         c7d43eb5f3319516d9d0d361cc",
    );
    assert_eq!(opened("a", &sealed).as_deref(), Ok(&b"of old"[..]));
}

#[test]
fn the_same_text_is_never_the_same_value() {
    let (one, other) = (sealed("a", b"the same"), sealed("a", b"the same"));
    let differ = one[7..].iter().zip(&other[7..]).filter(|(a, b)| a != b);
    assert!(differ.count() > 32);
    assert_eq!(one[..7], other[..7]);
    assert_eq!(&one[..7], b"\x01\x05key-a");
}

#[test]
fn a_value_of_which_a_bit_was_altered_is_refused() {
    let sealed = sealed("ab", b"a secret");
    let mut faults = std::collections::BTreeMap::new();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[at] ^= 1 << bit;
            let fault = match opened("abc", &altered).unwrap_err() {
                VaultError::NotSealed(_) => "none of ours",
                VaultError::UnknownKey { .. } => "an unknown key",
                VaultError::Refused { .. } => "refused",
                VaultError::TooLong(_) => "too long",
            };
            *faults.entry(fault).or_insert(0) += 1;
        }
    }
    assert_eq!(faults.values().sum::<i32>() as usize, 8 * sealed.len());
    // The nonce, the text and the tag; and the id where it becomes another that there is.
    assert!(faults["refused"] > 8 * (24 + 8 + 16), "{faults:?}");
    assert!(faults["an unknown key"] > 0, "{faults:?}");
    assert!(!faults.contains_key("too long"));
}

#[test]
fn a_value_that_was_cut_or_made_longer_is_refused() {
    let whole = sealed("a", b"a secret");
    for length in 0..whole.len() {
        opened("a", &whole[..length]).unwrap_err();
        opened("a", &whole[length + 1..]).unwrap_err();
    }
    opened("a", &[&whole[..], b"\0"].concat()).unwrap_err();
}

#[test]
fn a_value_in_another_place_is_refused() {
    let vault = vault("a");
    let place = SECRET.of(ROW);
    let sealed = vault.seal(&place, b"a secret").unwrap();
    let other_row = SECRET.of(Uuid::from_u128(8));
    let other_column = Sealed {
        column: "secre",
        ..SECRET
    };
    let other_table = Sealed {
        table: "factor",
        ..SECRET
    };
    let cut_elsewhere = Sealed {
        table: "factorss",
        column: "ecret",
        ..SECRET
    };
    for other in [
        other_row,
        other_column.of(ROW),
        other_table.of(ROW),
        cut_elsewhere.of(ROW),
    ] {
        let refused = VaultError::Refused {
            place: other,
            key_id: "key-a".into(),
        };
        assert_eq!(vault.open(&other, &sealed).unwrap_err(), refused);
        // Nor is one of that place taken here.
        let others = vault.seal(&other, b"a secret").unwrap();
        vault.open(&place, &others).unwrap_err();
    }
    vault.open(&place, &sealed).unwrap();
}

#[test]
fn keys_may_come_and_go() {
    let old = sealed("a", b"a secret");
    // Behind the first, before it is used.
    let behind = sealed("ab", b"a secret");
    assert!(behind.starts_with(b"\x01\x05key-a"));
    for sealed in [&old, &behind] {
        assert_eq!(opened("ba", sealed).as_deref(), Ok(&b"a secret"[..]));
    }
    let new = sealed("ba", b"a secret");
    assert!(new.starts_with(b"\x01\x05key-b"));
    for ring in ["ab", "ba", "b"] {
        assert_eq!(opened(ring, &new).as_deref(), Ok(&b"a secret"[..]));
    }
    let told = opened("bc", &old).unwrap_err().to_string();
    assert_eq!(
        told,
        format!(
            "factors.secret of account_id {ROW} was encrypted by the key key-a, which EMPULSE_ENCRYPTION_KEYS does \
             not hold; put it back, behind the first"
        )
    );
}

#[test]
fn another_key_under_the_same_id_is_told_as_such() {
    let sealed = sealed("a", b"a secret");
    let ring = format!("key-a:{}", "00".repeat(32)).parse().unwrap();
    let other = Vault::of(&ring, "keys/encryption".into());
    let fault = other.open(&SECRET.of(ROW), &sealed).unwrap_err();
    assert!(matches!(fault, VaultError::Refused { .. }), "{fault}");
    assert!(fault.to_string().contains("another key had that id"));
}

#[test]
fn what_is_no_value_is_told_as_such() {
    let sealed = sealed("a", b"a secret");
    let mut later = sealed.clone();
    later[0] = 2;
    let mut broken_line = sealed.clone();
    broken_line[4] = b'\n';
    for bytes in [&b""[..], b"\x01", b"a secret", &later, &broken_line] {
        let fault = opened("a", bytes).unwrap_err();
        assert_eq!(fault, VaultError::NotSealed(SECRET.of(ROW)));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let vault = vault("ab");
    assert_eq!(format!("{vault:?}"), r#"Vault ["key-a", "key-b"]"#);
    let text = vault
        .open(&SECRET.of(ROW), &sealed("a", b"a secret"))
        .unwrap();
    assert!(!format!("{text:?}").contains("secret\""), "{text:?}");
}

#[test]
fn the_settings_ring_comes_before_the_data_folders_which_is_not_the_signing_keys() {
    let folder = std::env::temp_dir().join(format!("empulse-vault-{}", std::process::id()));
    let config = |set: &[(&str, &str)]| {
        let data = ("EMPULSE_DATA_DIR", folder.to_str().unwrap());
        let env = set
            .iter()
            .chain([&data])
            .map(|(name, value)| (name.into(), value.into()));
        crate::config::read(["empulse".into()].into_iter(), env)
            .unwrap()
            .config
    };
    let set = config(&[("EMPULSE_ENCRYPTION_KEYS", &ring_text("ab"))]);
    let set = Vault::unlocked(&set).unwrap();
    assert_eq!(set.ids().collect::<Vec<_>>(), ["key-a", "key-b"]);
    assert!(!folder.exists());

    let place = SECRET.of(ROW);
    let made = Vault::unlocked(&config(&[])).unwrap();
    let sealed = made.seal(&place, b"a secret").unwrap();
    let again = Vault::unlocked(&config(&[])).unwrap();
    assert_eq!(
        again.open(&place, &sealed).unwrap().expose_secret(),
        b"a secret"
    );
    let told = set.open(&place, &sealed).unwrap_err().to_string();
    assert!(told.contains("EMPULSE_ENCRYPTION_KEYS"), "{told}");

    keys::Keys::open(&config(&[])).unwrap();
    let read = |name| std::fs::read_to_string(folder.join("keys").join(name)).unwrap();
    assert_ne!(read("signing"), read("encryption"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let about = std::fs::metadata(folder.join("keys/encryption")).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    std::fs::remove_dir_all(folder).unwrap();
}
