//! Argon2id and nothing else, on all cores: what no service that compares passwords can surpass.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// The work of comparing with one hash.
pub struct Comparing {
    argon: Argon2<'static>,
    salt: Vec<u8>,
    output: usize,
}

impl Comparing {
    /// With one of the service's, so that the parameters are its own, whichever these are.
    pub fn with(hash: &str) -> anyhow::Result<Self> {
        let hash = PasswordHash::new(hash).context("a hash that can't be read")?;
        let algorithm = Algorithm::new(hash.algorithm)?;
        let version = hash.version.context("a hash without its version")?;
        Ok(Self {
            argon: Argon2::new(
                algorithm,
                Version::try_from(version)?,
                Params::try_from(&hash)?,
            ),
            salt: hash.salt.context("a hash without its salt")?.to_vec(),
            output: hash.hash.context("a hash of nothing")?.as_bytes().len(),
        })
    }

    /// How often a second, by as many threads as there are cores, each with memory that it uses again.
    pub async fn per_second(self: &Arc<Self>, time: Duration) -> anyhow::Result<f64> {
        let threads = std::thread::available_parallelism()?.get();
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let comparing = Arc::clone(self);
                tokio::task::spawn_blocking(move || comparing.run(time))
            })
            .collect();
        let mut sum = 0.0;
        for thread in threads {
            sum += thread.await??;
        }
        Ok(sum)
    }

    fn run(&self, time: Duration) -> anyhow::Result<f64> {
        let mut memory = vec![Block::new(); self.argon.params().block_count()];
        let mut output = vec![0; self.output];
        let mut times = 0;
        let began = Instant::now();
        loop {
            self.argon.hash_password_into_with_memory(
                b"as long as most of them",
                &self.salt,
                &mut output,
                &mut memory,
            )?;
            std::hint::black_box(&output);
            times += 1;
            let elapsed = began.elapsed();
            if elapsed >= time {
                return Ok(f64::from(times) / elapsed.as_secs_f64());
            }
        }
    }
}
