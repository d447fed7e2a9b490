//! The reads that fields share within one operation.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::audit::ReadEvents;
use super::batch::{Batch, Load};
use super::error::ApiError;
use crate::accounts::{self, Account, AccountId, ApiToken, Session, TrustedDevice, User, UserId};
use crate::app::App;
use crate::audit::By;
use crate::catalogue::{
    self, Album, AlbumId, AlbumTotals, Artist, ArtistId, ArtistText, Submission, SubmissionId,
    Track, TrackId, TrackOrder, TrackStatus, Viewer,
};
use crate::db::keyset::{Slice, Window};
use crate::media::{self, AudioId, ImageId, Playable, Viewable};

/// Made anew for each operation: what one caller was shown must not be kept for the next.
#[derive(Default)]
pub struct Loaders {
    pub audit_events: Batch<ReadEvents>,
    pub overseen_accounts: Batch<OverseenAccount>,
    pub overseen_of_lists: Batch<OverseenOfList>,
    pub users: Batch<UserById>,
    pub sessions_of_accounts: Batch<SessionsOfAccount>,
    pub trusted_devices_of_accounts: Batch<TrustedDevicesOfAccount>,
    pub recovery_codes_left: Batch<RecoveryCodesLeft>,
    pub api_tokens_of_accounts: Batch<ApiTokensOfAccount>,
    pub pending_addresses: Batch<PendingAddressOfAccount>,
    pub locks: Batch<LockOfAddress>,
    pub artists: Batch<ArtistById>,
    pub artists_by_slug: Batch<ArtistBySlug>,
    pub artists_of_accounts: Batch<ArtistOfAccount>,
    pub artist_texts: Batch<TextOfArtist>,
    pub albums: Batch<AlbumById>,
    pub albums_of_artists: Batch<AlbumsOfArtist>,
    pub album_totals: Batch<TotalsOfAlbum>,
    pub submissions: Batch<SubmissionById>,
    pub submissions_of_tracks: Batch<SubmissionOfTrack>,
    pub submissions_of_accounts: Batch<SubmissionsOfAccount>,
    pub submission_counts: Batch<SubmissionCountOfAccount>,
    pub tracks: Batch<TrackById>,
    pub audios: Batch<AudioById>,
    pub peaks: Batch<PeaksOfAudio>,
    pub images: Batch<ImageById>,
    pub seen_images: Batch<SeenImage>,
    pub tracks_of_audios: Batch<TrackOfAudio>,
    pub tracks_of_artists: Batch<TracksOfArtist>,
    pub tracks_of_albums: Batch<TracksOfAlbum>,
    pub tracks_of_accounts: Batch<TracksOfAccount>,
}

/// An account of somebody else's, and by whom it is looked at: an administrator.
pub struct OverseenAccount;

impl Load for OverseenAccount {
    type Key = (AccountId, By);
    type Value = Arc<Account>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (by, ids) in by_list(keys) {
            let accounts = accounts::oversee_accounts(app, &by, &ids).await?;
            let keyed = |(id, account)| ((id, by.clone()), account);
            found.extend(accounts.into_iter().map(keyed));
        }
        Ok(found)
    }
}

/// An account that a list showed to an administrator, who looks at more of it than the list's record says.
pub struct OverseenOfList;

impl Load for OverseenOfList {
    type Key = (AccountId, By);
    type Value = ();

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        for (by, ids) in by_list(keys) {
            accounts::oversee_listed(app, &by, &ids).await?;
        }
        Ok(HashMap::new())
    }
}

pub struct UserById;

impl Load for UserById {
    type Key = UserId;
    type Value = Arc<User>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::users_by_ids(app, &keys).await?)
    }
}

pub struct SessionsOfAccount;

impl Load for SessionsOfAccount {
    type Key = AccountId;
    type Value = Arc<Vec<Arc<Session>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::sessions_of_accounts(app, &keys).await?)
    }
}

pub struct TrustedDevicesOfAccount;

impl Load for TrustedDevicesOfAccount {
    type Key = AccountId;
    type Value = Arc<Vec<Arc<TrustedDevice>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::trusted_devices_of_accounts(app, &keys).await?)
    }
}

pub struct RecoveryCodesLeft;

impl Load for RecoveryCodesLeft {
    type Key = AccountId;
    type Value = i64;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::recovery_codes_left(app, &keys).await?)
    }
}

pub struct ApiTokensOfAccount;

impl Load for ApiTokensOfAccount {
    type Key = AccountId;
    type Value = Arc<Vec<Arc<ApiToken>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::api_tokens_of_accounts(app, &keys).await?)
    }
}

pub struct PendingAddressOfAccount;

impl Load for PendingAddressOfAccount {
    type Key = AccountId;
    type Value = String;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::pending_addresses(app, &keys).await?)
    }
}

pub struct LockOfAddress;

impl Load for LockOfAddress {
    type Key = String;
    type Value = DateTime<Utc>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(accounts::locks_of(app, &keys).await?)
    }
}

pub struct ArtistOfAccount;

impl Load for ArtistOfAccount {
    type Key = (AccountId, Viewer);
    type Value = Arc<Artist>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::artists_of_accounts(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct ArtistById;

impl Load for ArtistById {
    type Key = (ArtistId, Viewer);
    type Value = Arc<Artist>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::artists_by_ids(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct ArtistBySlug;

impl Load for ArtistBySlug {
    type Key = (String, Viewer);
    type Value = Arc<Artist>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::artists_by_slugs(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct TextOfArtist;

impl Load for TextOfArtist {
    type Key = ArtistId;
    type Value = Arc<ArtistText>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(shared(catalogue::artist_texts(&app.db, &keys).await?))
    }
}

pub struct AlbumById;

impl Load for AlbumById {
    type Key = (AlbumId, Viewer);
    type Value = Arc<Album>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::albums_by_ids(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct TotalsOfAlbum;

impl Load for TotalsOfAlbum {
    type Key = (AlbumId, Viewer);
    type Value = AlbumTotals;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::album_totals(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, rows));
        }
        Ok(found)
    }
}

pub struct TrackById;

impl Load for TrackById {
    type Key = (TrackId, Viewer);
    type Value = Arc<Track>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::tracks_by_ids(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct AudioById;

impl Load for AudioById {
    type Key = (AudioId, Viewer);
    type Value = Arc<Playable>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = media::playable_by_ids(&app.db, viewer.freshness(), &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

/// A picture of something that its viewer sees.
pub struct ImageById;

impl Load for ImageById {
    type Key = (ImageId, Viewer);
    type Value = Arc<Viewable>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, ids) in by_list(keys) {
            let rows = media::images_by_ids(&app.db, viewer.freshness(), &ids).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

/// Whether a viewer sees anything that a picture belongs to.
pub struct SeenImage;

impl Load for SeenImage {
    type Key = (ImageId, Viewer);
    type Value = ();

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, ids) in by_list(keys) {
            let avatars: Vec<_> = ids.iter().map(|id| id.0).collect();
            let avatars = accounts::shown_avatars(app, &avatars).await?;
            let mut seen = catalogue::seen_images(&app.db, viewer, &ids).await?;
            seen.extend(avatars.into_iter().map(ImageId));
            found.extend(seen.into_iter().map(|id| ((id, viewer), ())));
        }
        Ok(found)
    }
}

pub struct PeaksOfAudio;

impl Load for PeaksOfAudio {
    type Key = (AudioId, Viewer);
    type Value = Arc<Vec<u8>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = media::peaks_by_ids(&app.db, viewer.freshness(), &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct TrackOfAudio;

impl Load for TrackOfAudio {
    type Key = (AudioId, Viewer);
    type Value = Arc<Track>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let rows = catalogue::tracks_of_audios(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, shared(rows)));
        }
        Ok(found)
    }
}

pub struct SubmissionById;

impl Load for SubmissionById {
    type Key = (SubmissionId, Viewer);
    type Value = Arc<Submission>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, ids) in by_list(keys) {
            let rows = catalogue::submissions_by_ids(&app.db, viewer, &ids).await?;
            let keyed = |(id, row)| ((id, viewer), Arc::new(row));
            found.extend(rows.into_iter().map(keyed));
        }
        Ok(found)
    }
}

/// The newest of a track.
pub struct SubmissionOfTrack;

impl Load for SubmissionOfTrack {
    type Key = (TrackId, Viewer);
    type Value = Arc<Submission>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, tracks) in by_list(keys) {
            let rows = catalogue::submissions_of_tracks(&app.db, viewer, &tracks).await?;
            let keyed = |(track, row)| ((track, viewer), Arc::new(row));
            found.extend(rows.into_iter().map(keyed));
        }
        Ok(found)
    }
}

pub struct SubmissionsOfAccount;

impl Load for SubmissionsOfAccount {
    type Key = (AccountId, (Viewer, Window));
    type Value = Arc<Slice<Arc<Submission>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (list, accounts) in by_list(keys) {
            let (viewer, window) = &list;
            let pages =
                catalogue::submissions_of_accounts(&app.db, *viewer, &accounts, window).await?;
            let keyed = |(account, page)| ((account, list.clone()), shared_page(page));
            found.extend(pages.into_iter().map(keyed));
        }
        Ok(found)
    }
}

pub struct SubmissionCountOfAccount;

impl Load for SubmissionCountOfAccount {
    type Key = (AccountId, Viewer);
    type Value = i64;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (viewer, keys) in by_list(keys) {
            let counts = catalogue::count_submissions_of_accounts(&app.db, viewer, &keys).await?;
            found.extend(seen_by(viewer, counts));
        }
        Ok(found)
    }
}

pub struct AlbumsOfArtist;

impl Load for AlbumsOfArtist {
    type Key = (ArtistId, (Viewer, Window));
    type Value = Arc<Slice<Arc<Album>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (list, artists) in by_list(keys) {
            let (viewer, window) = &list;
            let pages = catalogue::albums_of_artists(&app.db, *viewer, &artists, window).await?;
            found.extend(
                pages
                    .into_iter()
                    .map(|(artist, page)| ((artist, list.clone()), shared_page(page))),
            );
        }
        Ok(found)
    }
}

pub struct TracksOfArtist;

impl Load for TracksOfArtist {
    type Key = (ArtistId, (TrackOrder, Window));
    type Value = Arc<Slice<Arc<Track>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (list, artists) in by_list(keys) {
            let (order, window) = &list;
            let pages = catalogue::tracks_of_artists(&app.db, &artists, *order, window).await?;
            found.extend(
                pages
                    .into_iter()
                    .map(|(artist, page)| ((artist, list.clone()), shared_page(page))),
            );
        }
        Ok(found)
    }
}

pub struct TracksOfAlbum;

impl Load for TracksOfAlbum {
    type Key = (AlbumId, (Viewer, Window));
    type Value = Arc<Slice<Arc<Track>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (list, albums) in by_list(keys) {
            let (viewer, window) = &list;
            let pages = catalogue::tracks_of_albums(&app.db, *viewer, &albums, window).await?;
            found.extend(
                pages
                    .into_iter()
                    .map(|(album, page)| ((album, list.clone()), shared_page(page))),
            );
        }
        Ok(found)
    }
}

pub struct TracksOfAccount;

impl Load for TracksOfAccount {
    type Key = (AccountId, (Viewer, Option<Vec<TrackStatus>>, Window));
    type Value = Arc<Slice<Arc<Track>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (list, accounts) in by_list(keys) {
            let (viewer, statuses, window) = &list;
            let statuses = statuses.as_deref();
            let pages =
                catalogue::tracks_of_accounts(&app.db, *viewer, &accounts, statuses, window)
                    .await?;
            found.extend(
                pages
                    .into_iter()
                    .map(|(account, page)| ((account, list.clone()), shared_page(page))),
            );
        }
        Ok(found)
    }
}

/// The parents that want the same page of their list; one statement serves them all. There are as many groups as the
/// document asks for differently, never as many as there are parents.
fn by_list<P, L: Eq + std::hash::Hash>(keys: Vec<(P, L)>) -> HashMap<L, Vec<P>> {
    let mut groups: HashMap<L, Vec<P>> = HashMap::new();
    for (parent, list) in keys {
        groups.entry(list).or_default().push(parent);
    }
    groups
}

/// What was found for a viewer, under keys that no other has.
fn seen_by<K: Eq + std::hash::Hash, T>(
    viewer: Viewer,
    found: HashMap<K, T>,
) -> impl Iterator<Item = ((K, Viewer), T)> {
    found
        .into_iter()
        .map(move |(key, row)| ((key, viewer), row))
}

fn shared<K: Eq + std::hash::Hash, T>(found: HashMap<K, T>) -> HashMap<K, Arc<T>> {
    found
        .into_iter()
        .map(|(key, row)| (key, Arc::new(row)))
        .collect()
}

fn shared_page<T>(page: Slice<T>) -> Arc<Slice<Arc<T>>> {
    Arc::new(Slice {
        items: page.items.into_iter().map(Arc::new).collect(),
        has_next: page.has_next,
        has_previous: page.has_previous,
    })
}
