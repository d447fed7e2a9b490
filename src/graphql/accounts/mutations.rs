//! The root fields that change accounts. Each decodes, calls the domain and encodes.

use async_graphql::{Context, ID, Object};
use secrecy::{ExposeSecret, SecretString};

use super::account::{Account, Viewer};
use super::credentials::{TokenDelivery, hand_out};
use super::mistakes::{mendable, mistakes};
use super::payloads::*;
use crate::accounts::{
    self, Admitted, Principal, ProfileChange, RefreshWith, Registration, SessionId, SignIn,
};
use crate::graphql::context::{Operation, operation, root, sent};
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::image;
use crate::graphql::request::CookieChange;

#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Opens an account and mails a link that confirms the address. The answer is the same whether or not the address is known.
    async fn register(&self, ctx: &Context<'_>, input: RegisterInput) -> Nullable<RegisterPayload> {
        nullable(
            root(ctx, "register", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let registration = Registration {
                    email: input.email,
                    password: input.password.into(),
                    display_name: input.display_name,
                    challenge: input.challenge.map(|solution| solution.response),
                };
                let client = &operation.caller.client;
                let errors = mistakes(operation.accounts.register(registration, client).await)?;
                Ok(Some(RegisterPayload {
                    accepted: errors.is_empty(),
                    errors,
                }))
            })
            .await,
        )
    }

    async fn verify_email(
        &self,
        ctx: &Context<'_>,
        input: VerifyEmailInput,
    ) -> Nullable<VerifyEmailPayload> {
        nullable(
            root(ctx, "verifyEmail", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let token = SecretString::from(input.token);
                let errors = mistakes(
                    operation
                        .accounts
                        .verify_email(&token, &operation.caller.client)
                        .await,
                )?;
                Ok(Some(VerifyEmailPayload {
                    verified: errors.is_empty(),
                    errors,
                }))
            })
            .await,
        )
    }

    /// Mails the confirming link again. The answer is the same whether or not the address is known.
    async fn resend_verification(
        &self,
        ctx: &Context<'_>,
        input: ResendVerificationInput,
    ) -> Nullable<ResendVerificationPayload> {
        nullable(
            root(ctx, "resendVerification", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let client = &operation.caller.client;
                let resent = operation
                    .accounts
                    .resend_verification(&input.email, client)
                    .await;
                Ok(Some(ResendVerificationPayload {
                    errors: mistakes(resent)?,
                }))
            })
            .await,
        )
    }

    /// Signs in. Five failures lock the account for 15 minutes; after three, a solved challenge is asked for.
    async fn login(&self, ctx: &Context<'_>, input: LoginInput) -> Nullable<LoginPayload> {
        nullable(
            root(ctx, "login", async {
                let operation = operation(ctx)?;
                let client = &operation.caller.client;
                if let Err(refusal) = operation.visit.only_sensitive() {
                    operation.accounts.count_sign_in(client).await?;
                    return Err(refusal);
                }
                let sign_in = SignIn {
                    email: input.email,
                    password: input.password.into(),
                    by_cookie: input.delivery == TokenDelivery::Cookie,
                    remember: input.remember,
                    device_token: input.device_token.map(SecretString::from),
                    challenge: input.challenge.map(|solution| solution.response),
                };
                let admitted = mendable(operation.accounts.sign_in(sign_in, client).await)?;
                Ok(Some(match admitted {
                    Ok(Admitted::SignedIn(signed_in)) => {
                        let (account, credentials) = hand_out(operation, *signed_in);
                        LoginPayload {
                            account: Some(account),
                            credentials: Some(credentials),
                            ..LoginPayload::default()
                        }
                    }
                    Ok(Admitted::SecondStep(token)) => LoginPayload {
                        two_factor_token: Some(token.expose_secret().to_owned()),
                        ..LoginPayload::default()
                    },
                    Err(errors) => LoginPayload {
                        errors,
                        ..LoginPayload::default()
                    },
                }))
            })
            .await,
        )
    }

    /// Trades a refresh token, from the input or the cookie, for a new pair. A token used twice ends its session.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        input: Option<RefreshSessionInput>,
    ) -> Nullable<RefreshSessionPayload> {
        nullable(
            root(ctx, "refreshSession", async {
                let operation = operation(ctx)?;
                let token = input.and_then(|input| input.refresh_token);
                let with = match token {
                    Some(token) => RefreshWith::Token(token.into()),
                    None => RefreshWith::Cookie,
                };
                let client = &operation.caller.client;
                let refreshed = mendable(operation.accounts.refresh(with, client).await)?;
                Ok(Some(match refreshed {
                    Ok(signed_in) => {
                        let (account, credentials) = hand_out(operation, signed_in);
                        RefreshSessionPayload {
                            account: Some(account),
                            credentials: Some(credentials),
                            errors: Vec::new(),
                        }
                    }
                    Err(errors) => RefreshSessionPayload {
                        account: None,
                        credentials: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    /// Ends the session that the access token, the refresh token or the cookie belongs to, and clears the cookies.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        input: Option<LogoutInput>,
    ) -> Nullable<LogoutPayload> {
        nullable(
            root(ctx, "logout", async {
                let operation = operation(ctx)?;
                let token = input
                    .and_then(|input| input.refresh_token)
                    .map(SecretString::from);
                let client = &operation.caller.client;
                let signed_out = operation
                    .accounts
                    .sign_out(operation.actor(), token, client)
                    .await;
                Ok(Some(match mendable(signed_out)? {
                    Ok(clears_cookies) => {
                        if clears_cookies {
                            operation.visit.change_cookies(CookieChange::SignedOut);
                        }
                        LogoutPayload { errors: Vec::new() }
                    }
                    Err(errors) => LogoutPayload { errors },
                }))
            })
            .await,
        )
    }

    /// Ends one session of the caller.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        input: RevokeSessionInput,
    ) -> Nullable<RevokeSessionPayload> {
        nullable(
            root(ctx, "revokeSession", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().in_session()?;
                let id: Option<SessionId> = input.session_id.parse().ok();
                let revoked = operation
                    .accounts
                    .revoke_session(principal, id, &operation.caller.client)
                    .await;
                Ok(Some(match mendable(revoked)? {
                    Ok(id) => RevokeSessionPayload {
                        revoked_id: Some(ID(id.to_string())),
                        account: Some(Account::of(principal)),
                        errors: Vec::new(),
                    },
                    Err(errors) => RevokeSessionPayload {
                        revoked_id: None,
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    /// Ends every session of the caller, this one excepted unless asked.
    async fn revoke_all_sessions(
        &self,
        ctx: &Context<'_>,
        input: Option<RevokeAllSessionsInput>,
    ) -> Nullable<RevokeAllSessionsPayload> {
        nullable(
            root(ctx, "revokeAllSessions", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().in_session()?;
                let include_current = input.is_some_and(|input| input.include_current);
                let revoked = operation
                    .accounts
                    .revoke_sessions(principal, include_current, &operation.caller.client)
                    .await;
                Ok(Some(match mendable(revoked)? {
                    Ok(revoked) => RevokeAllSessionsPayload {
                        revoked: i32::try_from(revoked).unwrap_or(i32::MAX),
                        account: Some(Account::of(principal)),
                        errors: Vec::new(),
                    },
                    Err(errors) => RevokeAllSessionsPayload {
                        revoked: 0,
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    /// Mails a link to set a new password. The answer is the same whether or not the address is known.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        input: RequestPasswordResetInput,
    ) -> Nullable<RequestPasswordResetPayload> {
        nullable(
            root(ctx, "requestPasswordReset", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let client = &operation.caller.client;
                let requested = operation
                    .accounts
                    .request_password_reset(&input.email, client)
                    .await;
                Ok(Some(RequestPasswordResetPayload {
                    errors: mistakes(requested)?,
                }))
            })
            .await,
        )
    }

    /// Sets a new password by a mailed token; ends every session, API token and trusted device; signs nobody in, and leaves a second factor on.
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        input: ResetPasswordInput,
    ) -> Nullable<ResetPasswordPayload> {
        nullable(
            root(ctx, "resetPassword", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let (token, password) = (input.token.into(), input.new_password.into());
                let client = &operation.caller.client;
                let reset = operation.accounts.reset_password(&token, &password, client);
                let errors = mistakes(reset.await)?;
                Ok(Some(ResetPasswordPayload {
                    changed: errors.is_empty(),
                    errors,
                }))
            })
            .await,
        )
    }

    /// Sets a new password; ends every other session, API token and trusted device.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> Nullable<ChangePasswordPayload> {
        nullable(
            root(ctx, "changePassword", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let (current, new) = (input.current_password.into(), input.new_password.into());
                let client = &operation.caller.client;
                let changed = operation
                    .accounts
                    .change_password(principal, &current, &new, client)
                    .await;
                let errors = mistakes(changed)?;
                let account = match errors.is_empty() {
                    true => again(operation, principal).await,
                    false => None,
                };
                Ok(Some(ChangePasswordPayload { account, errors }))
            })
            .await,
        )
    }

    /// Mails a link to the new address; the address changes when it is followed.
    async fn change_email(
        &self,
        ctx: &Context<'_>,
        input: ChangeEmailInput,
    ) -> Nullable<ChangeEmailPayload> {
        nullable(
            root(ctx, "changeEmail", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let password = input.password.into();
                let code = input.code.map(SecretString::from);
                let (code, client) = (code.as_ref(), &operation.caller.client);
                let changed = operation
                    .accounts
                    .change_email(principal, &input.new_email, &password, code, client)
                    .await;
                Ok(Some(ChangeEmailPayload {
                    errors: mistakes(changed)?,
                }))
            })
            .await,
        )
    }

    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> Nullable<UpdateProfilePayload> {
        nullable(
            root(ctx, "updateProfile", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().verified()?;
                let avatar = sent(input.avatar);
                let change = ProfileChange {
                    display_name: sent(input.display_name),
                    has_avatar: avatar.is_some(),
                };
                let updated = async {
                    let accounts = &operation.accounts;
                    let admitted = match accounts.admit_profile(principal, change).await {
                        Ok(admitted) => admitted,
                        Err(fault) => return Ok(Err(fault)),
                    };
                    let avatar = match image::taken(operation, &principal.account, avatar).await? {
                        Ok(avatar) => avatar.map(|avatar| avatar.map(|image| image.0)),
                        Err(fault) => return Ok(Err(fault.of_account("avatar"))),
                    };
                    let client = &operation.caller.client;
                    let updated = accounts.update_profile(principal, admitted, avatar, client);
                    Ok::<_, ApiError>(updated.await)
                };
                Ok(Some(match mendable(updated.await?)? {
                    Ok(row) => UpdateProfilePayload {
                        account: Some(Account {
                            row,
                            viewer: Viewer::from(&**principal),
                        }),
                        errors: Vec::new(),
                    },
                    Err(errors) => UpdateProfilePayload {
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    /// A puzzle for a browser to solve before an operation that asks for one; a solution counts once.
    async fn create_challenge(&self, ctx: &Context<'_>) -> Nullable<CreateChallengePayload> {
        nullable(
            root(ctx, "createChallenge", async {
                let operation = operation(ctx)?;
                let offer = operation.accounts.create_challenge()?;
                Ok(Some(CreateChallengePayload {
                    challenge: Some(offer.into()),
                    errors: Vec::new(),
                }))
            })
            .await,
        )
    }
}

/// The caller's account as it is after a change; none where it can't be read. The change stands whatever comes of this, and
/// what is shown once must be shown now.
pub(super) async fn again(operation: &Operation, principal: &Principal) -> Option<Account> {
    let ids = [principal.account.id];
    let found = accounts::accounts_by_ids(&operation.app, &ids).await;
    let found = found
        .inspect_err(|error| tracing::warn!(%error, "an account was changed and can't be shown"));
    let row = found.ok()?.into_values().next()?;
    Some(Account {
        row,
        viewer: principal.into(),
    })
}
