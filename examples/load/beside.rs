//! What uploads are measured beside: servers in processes of their own, by this program called with `--beside`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use empulse::http::server::{self, ServerLimits};
use empulse::telemetry::Metrics;
use futures_util::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use poem::http::StatusCode;
use poem::{Endpoint, EndpointExt, Request, Response, endpoint};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::scratch::Scratch;

pub const BUCKET: &str = "bucket";
pub const KEY_ID: &str = "AKIDOFTHELOAD";
pub const SECRET: &str = "s3cret-of-the-load";

/// What such a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Writes each body to a file as it comes.
    Copies,
    /// Speaks S3's protocol.
    Bucket,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Copies => "copies",
            Self::Bucket => "bucket",
        }
    }
}

/// Ends with this value.
pub struct Beside {
    child: Child,
    pub address: SocketAddr,
}

impl Beside {
    pub async fn start(role: Role, scratch: &Scratch) -> anyhow::Result<Self> {
        let folder = scratch.path().join(role.name());
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--beside", role.name(), "--folder"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("it says nothing")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let address = line.context("it ended before it listened")?.parse()?;
        Ok(Self { child, address })
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Never returns, unless it fails.
pub async fn serve(role: Role, folder: PathBuf) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder.join(BUCKET))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    match role {
        Role::Copies => {
            let endpoint = copies(folder);
            let (stop, metrics) = (CancellationToken::new(), Metrics::detached());
            server::serve(listener, endpoint, stop, ServerLimits::default(), metrics).await;
            Ok(())
        }
        Role::Bucket => serve_bucket(listener, &folder).await,
    }
}

fn copies(folder: PathBuf) -> impl Endpoint<Output = Response> + 'static {
    let folder = Arc::new(folder);
    endpoint::make(move |request: Request| {
        let folder = Arc::clone(&folder);
        async move {
            let kept = keep(request, &folder).await;
            kept.map_err(|error| {
                poem::Error::from_string(error.to_string(), StatusCode::INTERNAL_SERVER_ERROR)
            })?;
            Ok::<Response, poem::Error>(Response::from(StatusCode::NO_CONTENT))
        }
    })
    .map_to_response()
}

/// On disk before it is answered, as the service's own; gone afterwards, so that there is room for the next.
async fn keep(request: Request, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(uuid::Uuid::now_v7().simple().to_string());
    let mut file = tokio::fs::File::create(&path).await?;
    let mut body = request.into_body().into_bytes_stream();
    while let Some(piece) = body.next().await {
        file.write_all(&piece?).await?;
    }
    file.sync_all().await?;
    tokio::fs::remove_file(&path).await?;
    Ok(())
}

async fn serve_bucket(listener: TcpListener, folder: &Path) -> anyhow::Result<()> {
    let files = FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    let service = builder.build();
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let connections = Builder::new(TokioExecutor::new());
            let _ = connections
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
