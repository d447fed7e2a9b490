use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, ScalarType, Value};

use super::track::Track;
use crate::accounts::{AccountId, UserId};
use crate::catalogue::{self, SubmissionId};
use crate::db::keyset::Position;
use crate::graphql::accounts::User;
use crate::graphql::at_hand::{Asked, AtHand, Rows, Show, leaf};
use crate::graphql::context::{operation, root};
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::image::{self, Image};
use crate::graphql::page::{Listed, Page, PageArguments, PageInfo};
use crate::graphql::scalars::DateTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::SubmissionStatus")]
pub enum SubmissionStatus {
    Processing,
    Failed,
    Pending,
    Approved,
    Rejected,
    ChangesRequested,
    Withdrawn,
}

#[derive(Clone)]
pub struct Submission(pub Arc<catalogue::Submission>);

impl Listed for Submission {
    fn position(&self, _: List) -> Position {
        self.0.position()
    }
}

/// A track that its artist handed in to be published; or, of one that was, another title or cover. For its artist,
/// administrators and moderators.
#[Object]
impl Submission {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Null where it is no longer to be had.
    async fn track(&self, ctx: &Context<'_>) -> Nullable<Track> {
        let id = self.0.track_id?;
        nullable(
            async {
                let track = operation(ctx)?.track(id).await?;
                Ok(track.map(Track::alone))
            }
            .await,
        )
    }

    /// Null once erased.
    async fn submitted_by(&self, ctx: &Context<'_>) -> Nullable<User> {
        nullable(user(ctx, self.0.submitted_by).await)
    }

    async fn status(&self) -> SubmissionStatus {
        self.0.status.into()
    }

    /// What the track is to be called once this is approved; null where that stays.
    async fn new_title(&self) -> Option<&str> {
        self.0.new_title.as_deref()
    }

    /// What the track is to look like once this is approved; null where that stays.
    async fn new_cover(&self, ctx: &Context<'_>) -> Nullable<Image> {
        image::of(ctx, self.0.new_cover_id).await
    }

    /// Why the file can't be used, for a person.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// The artist's, for the reviewer.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// For moderators and administrators.
    async fn reviewed_by(&self, ctx: &Context<'_>) -> Nullable<User> {
        nullable(
            async {
                let reviews = operation(ctx)?
                    .actor()
                    .with_role(catalogue::REVIEWERS)
                    .is_ok();
                user(ctx, self.0.reviewed_by.filter(|_| reviews)).await
            }
            .await,
        )
    }

    async fn review_note(&self) -> Option<&str> {
        self.0.review_note.as_deref()
    }

    async fn reviewed_at(&self) -> Option<DateTime> {
        self.0.reviewed_at.map(DateTime)
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl AtHand for Submission {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|submission: &Self| submission.0.id.to_string().into()),
            "status" => {
                leaf(|submission: &Self| SubmissionStatus::from(submission.0.status).into())
            }
            "newTitle" => leaf(|submission: &Self| submission.0.new_title.as_deref().into()),
            // Where there is none; else it is read.
            "newCover" => Some(Box::new(|submission: &Self| {
                submission.0.new_cover_id.is_none().then_some(Value::Null)
            })),
            "failure" => leaf(|submission: &Self| submission.0.failure.as_deref().into()),
            "note" => leaf(|submission: &Self| submission.0.note.as_deref().into()),
            "reviewNote" => leaf(|submission: &Self| submission.0.review_note.as_deref().into()),
            "reviewedAt" => leaf(|submission: &Self| {
                let reviewed_at = submission.0.reviewed_at.map(DateTime);
                reviewed_at.map_or(Value::Null, |time| time.to_value())
            }),
            "createdAt" => leaf(|submission: &Self| DateTime(submission.0.created_at).to_value()),
            _ => None,
        }
    }
}

async fn user(ctx: &Context<'_>, account: Option<AccountId>) -> Result<Option<User>, ApiError> {
    let Some(account) = account else {
        return Ok(None);
    };
    let operation = operation(ctx)?;
    let user = operation
        .load(&operation.loaders.users, UserId(account.0))
        .await?;
    Ok(user.map(|row| User { row, account: None }))
}

/// A submission, if the caller may see it.
pub async fn submission(
    ctx: &Context<'_>,
    id: SubmissionId,
) -> Result<Option<Submission>, ApiError> {
    let operation = operation(ctx)?;
    let row = operation
        .load(&operation.loaders.submissions, (id, operation.viewer))
        .await?;
    Ok(row.map(Submission))
}

pub struct SubmissionConnection {
    page: Page<Submission>,
    of: Of,
}

/// Of what list it is a page.
pub enum Of {
    Queue(catalogue::SubmissionFilter),
    Account(AccountId),
}

impl SubmissionConnection {
    pub fn new(page: Page<Submission>, of: Of) -> Self {
        Self { page, of }
    }
}

/// A page of a list of `Submission`.
#[Object]
impl SubmissionConnection {
    /// The page's items, each with its cursor.
    async fn edges(&self) -> Rows<'_, SubmissionEdge<'_>> {
        let edges = self.page.nodes.iter().map(|node| SubmissionEdge {
            page: &self.page,
            node,
        });
        Rows(edges.collect())
    }

    /// The page's items.
    async fn nodes(&self) -> Rows<'_, Submission> {
        Rows(self.page.nodes.as_slice().into())
    }

    async fn page_info(&self) -> PageInfo {
        self.page.info()
    }

    /// Counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let operation = operation(ctx)?;
        let count = match &self.of {
            Of::Queue(filter) => catalogue::count_submissions(&operation.app, filter).await?,
            Of::Account(account) => operation
                .load(
                    &operation.loaders.submission_counts,
                    (*account, operation.viewer),
                )
                .await?
                .unwrap_or_default(),
        };
        i32::try_from(count)
            .map_err(|_| ApiError::internal("more submissions than a client can count"))
    }
}

#[derive(Clone)]
pub struct SubmissionEdge<'a> {
    page: &'a Page<Submission>,
    node: &'a Submission,
}

/// A `Submission` in a list.
#[Object]
impl SubmissionEdge<'_> {
    /// For `after` and `before` of the same list.
    async fn cursor(&self) -> String {
        self.page.cursor(self.node)
    }

    async fn node(&self) -> &Submission {
        self.node
    }
}

impl AtHand for SubmissionEdge<'_> {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "cursor" => leaf(|edge: &Self| edge.page.cursor(edge.node).into()),
            "node" => {
                let shape = field.shape::<Submission>()?;
                Some(Box::new(move |edge: &Self| shape.show(edge.node)))
            }
            _ => None,
        }
    }
}

/// What a list of submissions is held to; what is left out restricts nothing.
#[derive(InputObject)]
pub struct SubmissionFilter {
    /// Any of these; an empty list matches nothing.
    statuses: Option<Vec<SubmissionStatus>>,
    artist_id: Option<ID>,
    /// Part of the track's title or of the artist's name.
    query: Option<String>,
}

fn read_filter(filter: SubmissionFilter) -> Result<catalogue::SubmissionFilter, ApiError> {
    let term = filter.query.as_deref().map(catalogue::Term::parse);
    let term = term
        .transpose()
        .map_err(|fault| ApiError::BadRequest(format!("filter.query: {fault}")))?;
    let statuses = filter.statuses.map(|statuses| {
        let mut statuses: Vec<catalogue::SubmissionStatus> =
            statuses.into_iter().map(Into::into).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    });
    Ok(catalogue::SubmissionFilter {
        statuses,
        artist: filter.artist_id.map(|id| id.parse()).transpose()?,
        term: term.flatten(),
    })
}

#[derive(Default)]
pub struct SubmissionQuery;

#[Object]
impl SubmissionQuery {
    /// Track submissions, for administrators and moderators; oldest first.
    async fn submissions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<SubmissionFilter>,
    ) -> Nullable<SubmissionConnection> {
        nullable(
            root(ctx, "submissions", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().with_role(catalogue::REVIEWERS)?;
                let list = List::Submissions;
                let window = PageArguments {
                    first,
                    after,
                    last,
                    before,
                }
                .window(list)?;
                let filter = filter.map(read_filter).transpose()?.unwrap_or_default();
                let slice = catalogue::list_submissions(
                    &operation.app,
                    principal,
                    &filter,
                    &window,
                    &operation.caller.client,
                )
                .await?;
                let page = Page::new(list, slice, |row| Submission(Arc::new(row)));
                Ok(Some(SubmissionConnection::new(page, Of::Queue(filter))))
            })
            .await,
        )
    }
}

/// What an account has handed in, newest first.
pub async fn submissions_of(
    ctx: &Context<'_>,
    account: AccountId,
    first: Option<i32>,
    after: Option<String>,
) -> Result<SubmissionConnection, ApiError> {
    let list = List::SubmissionsOfAccount;
    let window = PageArguments {
        first,
        after,
        ..PageArguments::default()
    }
    .window(list)?;
    let operation = operation(ctx)?;
    let page = operation
        .load(
            &operation.loaders.submissions_of_accounts,
            (account, (operation.viewer, window)),
        )
        .await?
        .ok_or_else(|| ApiError::internal("no page of an account's submissions"))?;
    let page = Page::new(list, (*page).clone(), Submission);
    Ok(SubmissionConnection::new(page, Of::Account(account)))
}
