//! Routes, headers and statuses. Decides nothing about packages.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, put};
use axum::{Extension, Json};
use serde::Deserialize;
use wharf_wire::{RegistryConfig, api, index, publish};

use crate::App;
use crate::auth::{self, Caller};
use crate::index::IndexFile;
use crate::releases::{Error, Upload};

/// The largest publish request, in bytes.
const BODY_LIMIT: usize = 64 << 20;

/// All routes of the registry.
pub fn router(app: App) -> Router {
    let reads = Router::new()
        .route("/index/config.json", get(config))
        .route("/index/{*path}", get(index_file))
        .route("/api/v1/crates", get(search))
        .route("/api/v1/crates/{name}/{version}/download", get(download))
        .route("/api/v1/crates/{name}/owners", get(owners))
        .route_layer(middleware::from_fn_with_state(app.clone(), may_read));
    let writes = Router::new()
        .route("/api/v1/crates/new", put(publish_new))
        .route("/api/v1/crates/{name}/{version}/yank", delete(yank))
        .route("/api/v1/crates/{name}/{version}/unyank", put(unyank))
        .route("/api/v1/crates/{name}/owners", put(add_owners).delete(remove_owners))
        .route_layer(middleware::from_fn_with_state(app.clone(), may_write))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    Router::new().merge(reads).merge(writes).route("/me", get(me)).with_state(app)
}

/// A failure as clients expect it.
struct Failed(StatusCode, String);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, Json(api::Failure::new(self.1))).into_response()
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Missing(_) => StatusCode::NOT_FOUND,
            Error::NotOwner { .. } => StatusCode::FORBIDDEN,
            Error::Exists { .. } | Error::NameTaken { .. } => StatusCode::CONFLICT,
            Error::Archive(_) | Error::Manifest(_) | Error::Name(_) | Error::LastOwner(_) => {
                StatusCode::BAD_REQUEST
            }
            // What went wrong inside is nothing for the outside.
            Error::Storage(_) | Error::Entry(_) => {
                return Self(StatusCode::INTERNAL_SERVER_ERROR, "the registry failed".to_owned());
            }
        };
        Self(status, error.to_string())
    }
}

type Reply<T> = Result<T, Failed>;

async fn may_read(State(app): State<App>, request: Request, next: Next) -> Response {
    if !app.config().auth_required {
        return next.run(request).await;
    }
    admit(&app, request, next).await
}

async fn may_write(State(app): State<App>, request: Request, next: Next) -> Response {
    admit(&app, request, next).await
}

/// Lets a known caller through. A client asks without a token first and takes the 401 as an invitation.
async fn admit(app: &App, mut request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(caller) = auth::caller(&app.config().tokens, sent) else {
        let challenge = api::challenge(&format!("{}{}", base_url(app, request.headers()), api::ME));
        let body = Json(api::Failure::new("this registry needs a token that it knows"));
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], body).into_response();
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The URL by which the client reached this registry.
fn base_url(app: &App, headers: &HeaderMap) -> String {
    match &app.config().public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
            format!("http://{}", host.unwrap_or("localhost"))
        }
    }
}

async fn config(State(app): State<App>, headers: HeaderMap) -> Response {
    let base = base_url(&app, &headers);
    let config = RegistryConfig {
        dl: format!("{base}/api/v1/crates"),
        api: Some(base),
        auth_required: app.config().auth_required,
    };
    ([(header::CONTENT_TYPE, "application/json")], config.render()).into_response()
}

async fn index_file(State(app): State<App>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let name = path.rsplit('/').next().unwrap_or_default();
    let file = app.releases().index().get(name).filter(|_| index::path_of(name) == path);
    let Some(file) = file else {
        return Failed(StatusCode::NOT_FOUND, format!("there is no index file `{path}`")).into_response();
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let IndexFile { bytes, etag } = &file;
    let tag = [(header::ETAG, etag.to_string())];
    if known.is_some_and(|tags| file.matches(tags)) {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (tag, kind, Bytes::from_owner(bytes.clone())).into_response()
}

async fn download(State(app): State<App>, Path((name, version)): Path<(String, String)>) -> Reply<Response> {
    let missing = Failed(StatusCode::NOT_FOUND, format!("there is no `{name}` {version}"));
    let archive = blocking(move || app.releases().archive(&name, &version)).await?.ok_or(missing)?;
    Ok(([(header::CONTENT_TYPE, "application/gzip")], archive).into_response())
}

async fn publish_new(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<Json<api::Published>> {
    let index_url = format!("sparse+{}/index/", base_url(&app, &headers));
    let (metadata, archive) =
        publish::decode(&body).map_err(|error| Failed(StatusCode::BAD_REQUEST, error.to_string()))?;
    let archive = body.slice_ref(archive);
    blocking(move || {
        let upload = Upload {
            metadata: Some(&metadata),
            name: &metadata.name,
            version: &metadata.vers,
            archive: &archive,
            index_url: Some(&index_url),
        };
        app.releases().publish(&caller, &upload)
    })
    .await?;
    Ok(Json(api::Published::default()))
}

type Version = Path<(String, String)>;

async fn yank(app: State<App>, caller: Extension<Caller>, version: Version) -> Reply<Json<api::Done>> {
    set_yanked(app, caller, version, true).await
}

async fn unyank(app: State<App>, caller: Extension<Caller>, version: Version) -> Reply<Json<api::Done>> {
    set_yanked(app, caller, version, false).await
}

async fn set_yanked(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((name, version)): Version,
    yanked: bool,
) -> Reply<Json<api::Done>> {
    blocking(move || app.releases().set_yanked(&caller, &name, &version, yanked)).await?;
    Ok(Json(api::Done { ok: true }))
}

async fn owners(State(app): State<App>, Path(name): Path<String>) -> Reply<Json<api::Owners>> {
    let logins = app.releases().owners(&name)?;
    let user = |(id, login): (u32, String)| api::User { id, login, name: None };
    Ok(Json(api::Owners { users: (1..).zip(logins).map(user).collect() }))
}

type Logins = Json<api::OwnersRequest>;

async fn add_owners(
    app: State<App>,
    caller: Extension<Caller>,
    name: Path<String>,
    logins: Logins,
) -> Reply<Json<api::OwnersChanged>> {
    change_owners(app, caller, name, logins, true).await
}

async fn remove_owners(
    app: State<App>,
    caller: Extension<Caller>,
    name: Path<String>,
    logins: Logins,
) -> Reply<Json<api::OwnersChanged>> {
    change_owners(app, caller, name, logins, false).await
}

async fn change_owners(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(logins): Logins,
    add: bool,
) -> Reply<Json<api::OwnersChanged>> {
    let msg = format!("owners {} `{name}`", if add { "added to" } else { "removed from" });
    blocking(move || app.releases().change_owners(&caller, &name, &logins.users, add)).await?;
    Ok(Json(api::OwnersChanged { ok: true, msg }))
}

/// The query of a search.
#[derive(Debug, Deserialize)]
struct SearchQuery {
    #[serde(default)]
    q: String,
    per_page: Option<usize>,
}

async fn search(State(app): State<App>, Query(query): Query<SearchQuery>) -> Reply<Json<api::Found>> {
    Ok(Json(app.releases().search(&query.q, query.per_page.unwrap_or(10).min(100))?))
}

async fn me(State(app): State<App>) -> Html<&'static str> {
    Html(if app.config().tokens.is_empty() {
        "<!doctype html><title>Token</title><p>This registry takes any token, for example <code>anonymous</code>."
    } else {
        "<!doctype html><title>Token</title><p>Ask the person who runs this registry for a token."
    })
}

/// Runs work that waits for the disk where it may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Reply<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Failed(StatusCode::INTERNAL_SERVER_ERROR, "the registry failed".to_owned())),
    }
}
