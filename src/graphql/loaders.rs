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
    self, Album, AlbumId, AlbumTotals, Artist, ArtistId, ArtistText, Track, TrackId, TrackOrder,
};
use crate::db::keyset::{Slice, Window};

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
    pub tracks: Batch<TrackById>,
    pub tracks_of_artists: Batch<TracksOfArtist>,
    pub tracks_of_albums: Batch<TracksOfAlbum>,
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
    type Key = AccountId;
    type Value = Arc<Artist>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(shared(
            catalogue::artists_of_accounts(&app.db, &keys).await?,
        ))
    }
}

pub struct ArtistById;

impl Load for ArtistById {
    type Key = ArtistId;
    type Value = Arc<Artist>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(shared(catalogue::artists_by_ids(&app.db, &keys).await?))
    }
}

pub struct ArtistBySlug;

impl Load for ArtistBySlug {
    type Key = String;
    type Value = Arc<Artist>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(shared(catalogue::artists_by_slugs(&app.db, &keys).await?))
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
    type Key = AlbumId;
    type Value = Arc<Album>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(shared(catalogue::albums_by_ids(&app.db, &keys).await?))
    }
}

pub struct TotalsOfAlbum;

impl Load for TotalsOfAlbum {
    type Key = AlbumId;
    type Value = AlbumTotals;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(catalogue::album_totals(&app.db, &keys).await?)
    }
}

pub struct TrackById;

impl Load for TrackById {
    type Key = TrackId;
    type Value = Arc<Track>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        Ok(shared(catalogue::tracks_by_ids(&app.db, &keys).await?))
    }
}

pub struct AlbumsOfArtist;

impl Load for AlbumsOfArtist {
    type Key = (ArtistId, Window);
    type Value = Arc<Slice<Arc<Album>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (window, artists) in by_list(keys) {
            let pages = catalogue::albums_of_artists(&app.db, &artists, &window).await?;
            found.extend(
                pages
                    .into_iter()
                    .map(|(artist, page)| ((artist, window.clone()), shared_page(page))),
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
    type Key = (AlbumId, Window);
    type Value = Arc<Slice<Arc<Track>>>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (window, albums) in by_list(keys) {
            let pages = catalogue::tracks_of_albums(&app.db, &albums, &window).await?;
            found.extend(
                pages
                    .into_iter()
                    .map(|(album, page)| ((album, window.clone()), shared_page(page))),
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
