//! Solutions of challenges: judged by whoever set the puzzle, and counted once.

use chrono::{DateTime, Utc};

use crate::accounts::Accounts;
use crate::accounts::challenge::{ChallengeFault, Offer};
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::store;

impl Accounts {
    pub fn create_challenge(&self) -> Result<Offer, Fault> {
        Ok(self.challenges.create(self.app.clock.now()))
    }

    /// Goes on where a solution is right and was not used before.
    pub(super) async fn require_solution(
        &self,
        response: Option<&str>,
        client: &Client,
    ) -> Result<(), Fault> {
        let wanted =
            |message| Mistake::new(MistakeCode::ChallengeRequired, message).of("challenge");
        let Some(response) = response else {
            return Err(
                wanted("A solved challenge is needed; ask for one by createChallenge.").into(),
            );
        };
        let now: DateTime<Utc> = self.app.clock.now();
        let solved = match self
            .challenges
            .verify(response, now, client.address, &client.correlation_id)
            .await
        {
            Ok(solved) => solved,
            Err(ChallengeFault::Wrong) => {
                return Err(wanted("The challenge was not solved; ask for a new one.").into());
            }
            Err(ChallengeFault::Expired) => {
                return Err(wanted("The challenge has expired; ask for a new one.").into());
            }
            Err(fault @ ChallengeFault::Unavailable(_)) => {
                return Err(Fault::Unavailable(fault.to_string()));
            }
        };
        if !store::use_solution(&self.app.db, solved.once_key, solved.expires_at).await? {
            return Err(wanted("This solution was used before; ask for a new challenge.").into());
        }
        Ok(())
    }
}
