//! The root fields of the second factor. Each decodes, calls the domain and encodes.

mod payloads;

use async_graphql::{Context, ID, Object};
use secrecy::{ExposeSecret, SecretString};

use self::payloads::*;
use super::account::Account;
use super::credentials::hand_out;
use super::mistakes::mendable;
use super::mutations::again;
use crate::accounts::{Completion, TrustedDeviceId};
use crate::graphql::context::{operation, root};
use crate::graphql::error::{Nullable, nullable};

#[derive(Default)]
pub struct TwoFactorMutation;

#[Object]
impl TwoFactorMutation {
    /// The second step of signing in, where the account has two-factor authentication.
    async fn complete_two_factor(
        &self,
        ctx: &Context<'_>,
        input: CompleteTwoFactorInput,
    ) -> Nullable<CompleteTwoFactorPayload> {
        nullable(
            root(ctx, "completeTwoFactor", async {
                let operation = operation(ctx)?;
                let client = &operation.caller.client;
                if let Err(refusal) = operation.visit.only_sensitive() {
                    operation.accounts.count_second_step(client).await?;
                    return Err(refusal);
                }
                let completion = Completion {
                    token: input.two_factor_token.into(),
                    code: input.code.into(),
                    trust_device: input.trust_device,
                };
                let completed = operation.accounts.complete_sign_in(completion, client);
                Ok(Some(match mendable(completed.await)? {
                    Ok(signed_in) => {
                        let (account, credentials) = hand_out(operation, signed_in);
                        CompleteTwoFactorPayload {
                            account: Some(account),
                            credentials: Some(credentials),
                            errors: Vec::new(),
                        }
                    }
                    Err(errors) => CompleteTwoFactorPayload {
                        account: None,
                        credentials: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    /// Asks for a second factor on this device again.
    async fn revoke_trusted_device(
        &self,
        ctx: &Context<'_>,
        input: RevokeTrustedDeviceInput,
    ) -> Nullable<RevokeTrustedDevicePayload> {
        nullable(
            root(ctx, "revokeTrustedDevice", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().in_session()?;
                let id: Option<TrustedDeviceId> = input.trusted_device_id.parse().ok();
                let client = &operation.caller.client;
                let revoked = operation.accounts.distrust(principal, id, client).await;
                Ok(Some(match mendable(revoked)? {
                    Ok(id) => RevokeTrustedDevicePayload {
                        revoked_id: Some(ID(id.to_string())),
                        account: Some(Account::of(principal)),
                        errors: Vec::new(),
                    },
                    Err(errors) => RevokeTrustedDevicePayload {
                        revoked_id: None,
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    /// Starts to set up one-time codes; nothing changes until they are confirmed.
    async fn begin_two_factor(
        &self,
        ctx: &Context<'_>,
        input: BeginTwoFactorInput,
    ) -> Nullable<BeginTwoFactorPayload> {
        nullable(
            root(ctx, "beginTwoFactor", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let password = input.password.into();
                let client = &operation.caller.client;
                let begun = operation
                    .accounts
                    .begin_two_factor(principal, &password, client);
                Ok(Some(match mendable(begun.await)? {
                    Ok(begun) => BeginTwoFactorPayload {
                        otpauth_uri: Some(shown(&begun.uri)),
                        qr_code: Some(shown(&begun.picture)),
                        errors: Vec::new(),
                    },
                    Err(errors) => BeginTwoFactorPayload {
                        otpauth_uri: None,
                        qr_code: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    async fn confirm_two_factor(
        &self,
        ctx: &Context<'_>,
        input: ConfirmTwoFactorInput,
    ) -> Nullable<ConfirmTwoFactorPayload> {
        nullable(
            root(ctx, "confirmTwoFactor", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let code = input.code.into();
                let client = &operation.caller.client;
                let confirmed = operation
                    .accounts
                    .confirm_two_factor(principal, &code, client);
                Ok(Some(match mendable(confirmed.await)? {
                    Ok(codes) => ConfirmTwoFactorPayload {
                        account: again(operation, principal).await,
                        recovery_codes: Some(codes.iter().map(shown).collect()),
                        errors: Vec::new(),
                    },
                    Err(errors) => ConfirmTwoFactorPayload {
                        account: None,
                        recovery_codes: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    async fn regenerate_recovery_codes(
        &self,
        ctx: &Context<'_>,
        input: RegenerateRecoveryCodesInput,
    ) -> Nullable<RegenerateRecoveryCodesPayload> {
        nullable(
            root(ctx, "regenerateRecoveryCodes", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let (password, code) = (input.password.into(), input.code.into());
                let client = &operation.caller.client;
                let renewed = operation
                    .accounts
                    .regenerate_recovery_codes(principal, &password, &code, client)
                    .await;
                Ok(Some(match mendable(renewed)? {
                    Ok(codes) => RegenerateRecoveryCodesPayload {
                        account: again(operation, principal).await,
                        recovery_codes: Some(codes.iter().map(shown).collect()),
                        errors: Vec::new(),
                    },
                    Err(errors) => RegenerateRecoveryCodesPayload {
                        account: None,
                        recovery_codes: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    async fn disable_two_factor(
        &self,
        ctx: &Context<'_>,
        input: DisableTwoFactorInput,
    ) -> Nullable<DisableTwoFactorPayload> {
        nullable(
            root(ctx, "disableTwoFactor", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let (password, code) = (input.password.into(), input.code.into());
                let client = &operation.caller.client;
                let disabled = operation
                    .accounts
                    .disable_two_factor(principal, &password, &code, client)
                    .await;
                Ok(Some(match mendable(disabled)? {
                    Ok(()) => DisableTwoFactorPayload {
                        account: again(operation, principal).await,
                        errors: Vec::new(),
                    },
                    Err(errors) => DisableTwoFactorPayload {
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }
}

fn shown(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}
