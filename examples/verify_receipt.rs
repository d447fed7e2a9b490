//! Checks a receipt of an upload offline: what somebody does who has to show what was handed in, and when.
//!
//! ```sh
//! curl -s http://localhost:8000/.well-known/empulse-keys.json > keys.json
//! cargo run -q --example verify_receipt -- --keys keys.json --file first-light.flac < receipt.json
//! ```
//!
//! A receipt is the `receipt` of `submitTrack`'s or `resubmitTrack`'s answer, all of its fields. The keys are public and stay
//! good for what they signed, so whoever keeps receipts keeps them too. Nothing here is the service's own code: its
//! signature is Ed25519 over the lines of [`lines`], of which there is a library for every language.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::Parser;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Checks a receipt of an upload offline.
#[derive(Parser)]
pub struct Arguments {
    /// The service's public keys, as `/.well-known/empulse-keys.json` gave them.
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,

    /// What was handed in, to be compared with the receipt.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    submission_id: String,
    sha256: String,
    byte_size: u64,
    received_at: String,
    key_id: String,
    signature: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    purpose: String,
    /// In hexadecimal.
    public_key: String,
}

/// What is signed, byte for byte.
fn lines(receipt: &Receipt) -> String {
    let Receipt {
        submission_id,
        sha256,
        byte_size,
        received_at,
        key_id,
        ..
    } = receipt;
    format!("empulse-receipt-v1\n{submission_id}\n{sha256}\n{byte_size}\n{received_at}\n{key_id}\n")
}

fn check_signature(receipt: &Receipt, keys: &Keys) -> anyhow::Result<()> {
    let is_its = |key: &&Key| key.purpose == "receipt" && key.id == receipt.key_id;
    let key = keys.keys.iter().find(is_its);
    let key = key.with_context(|| format!("there is no key {} of receipts", receipt.key_id))?;
    let public = bytes(&key.public_key).context("the key is not in hexadecimal")?;
    let signature = BASE64_URL_SAFE_NO_PAD
        .decode(&receipt.signature)
        .context("the signature is not in base64url")?;
    let good =
        UnparsedPublicKey::new(&ED25519, public).verify(lines(receipt).as_bytes(), &signature);
    if good.is_err() {
        bail!("the receipt was altered, or is not of the service with these keys");
    }
    Ok(())
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let pairs = (0..hexadecimal.len()).step_by(2);
    let pairs = pairs.map(|at| u8::from_str_radix(hexadecimal.get(at..at + 2)?, 16).ok());
    pairs.collect()
}

fn check_file(receipt: &Receipt, path: &Path) -> anyhow::Result<()> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let some = file.read(&mut piece)?;
        if some == 0 {
            break;
        }
        hash.update(&piece[..some]);
        size += some as u64;
    }
    let digest = hash.finalize();
    ensure!(
        size == receipt.byte_size && bytes(&receipt.sha256).is_some_and(|told| told == digest[..]),
        "{} is another file than the one of the receipt",
        path.display()
    );
    Ok(())
}

/// What is printed.
pub fn run(arguments: &Arguments, receipt: impl Read) -> anyhow::Result<String> {
    let receipt: Receipt = serde_json::from_reader(receipt).context("this is no receipt")?;
    let keys = File::open(&arguments.keys).with_context(|| arguments.keys.display().to_string())?;
    let keys: Keys = serde_json::from_reader(keys).context("these are no keys")?;
    check_signature(&receipt, &keys)?;
    if let Some(file) = &arguments.file {
        check_file(&receipt, file)?;
    }
    Ok(format!(
        "{} came in at {} as part of {}: {} bytes of SHA-256 {}.",
        if arguments.file.is_some() {
            "This file"
        } else {
            "A file"
        },
        receipt.received_at,
        receipt.submission_id,
        receipt.byte_size,
        receipt.sha256
    ))
}

fn main() -> anyhow::Result<()> {
    let said = run(&Arguments::parse(), io::stdin())?;
    writeln!(io::stdout(), "{said}")?;
    Ok(())
}
