//! What answers which path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use plimsoll_engine::effect::Tier;
use plimsoll_engine::read::{By, Wanted};
use plimsoll_log::Past;
use plimsoll_service::ask;
use plimsoll_service::policy::{self, Faults};
use plimsoll_service::run::{Receipt, Run};
use plimsoll_telemetry::{Metric, Metrics};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::{IntoParams, OpenApi, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Account, AsOf, History, Hypothetical, Page, Picture, Security, Shocked, after};
use crate::history::{self, told_of};
use crate::hub::Hub;
use crate::problem::{Body, Problem};
use crate::stream;
use crate::writer::{Writer, now};

/// Bytes of a submission.
pub(crate) const BODY_BYTES: usize = 32 << 20;
/// Bytes of any other body.
const SMALL_BYTES: usize = 1 << 20;
/// Accounts of a page, where nothing else is asked for and at most.
const PAGE: (usize, usize) = (100, 1_000);
/// Securities of a scenario's sales, where nothing else is asked for and at most.
const SALES: (usize, usize) = (20, 10_000);
/// Events of a what-if, and moves or betas of a scenario.
const MOST_ASKED: usize = 10_000;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub writer: Writer,
    pub hub: Hub,
    pub past: Past,
    pub ending: Arc<AtomicBool>,
    pub metrics: Arc<Metrics>,
    /// How long a request may take.
    pub longest: Duration,
    /// Listeners, and readers of the log, at a time.
    pub listeners: Arc<Semaphore>,
    pub readers: Arc<Semaphore>,
    /// Listeners that are told from the log, at a time.
    pub behind: Arc<Semaphore>,
    /// What a request must bear, where anything.
    pub key: Option<Arc<str>>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Plimsoll",
        description = "A real-time risk engine for margin financing and securities lending. Money, prices and \
            ratios are decimal texts; every answer says its epoch, clock and the age of its oldest mark; errors \
            are RFC 9457 problems with stable codes. The events themselves are described by the JSON Schemas \
            that `plimsoll schema` prints."
    ),
    components(schemas(Body))
)]
struct Api;

/// What every operation may answer besides: a problem.
struct Problems;

impl utoipa::Modify for Problems {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let problem = openapi::ResponseBuilder::new()
            .description("A problem, with its code; after 429 `Retry-After` says when to try again.")
            .content(
                "application/problem+json",
                openapi::Content::new(Some(openapi::Ref::from_schema_name("Problem"))),
            )
            .build();
        for item in api.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                operation.responses.responses.insert("default".to_owned(), problem.clone().into());
            }
        }
    }
}

/// The description of the API, with the bearer key where one is asked for.
fn described(mut api: openapi::OpenApi, keyed: bool) -> String {
    utoipa::Modify::modify(&Problems, &mut api);
    if keyed {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        api.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("key", [])]);
    }
    api.to_json().unwrap_or_default()
}

pub(crate) fn router(shared: Shared) -> Router {
    let large = OpenApiRouter::new().routes(routes!(events)).layer(DefaultBodyLimit::max(BODY_BYTES));
    let small = OpenApiRouter::new()
        .routes(routes!(accounts))
        .routes(routes!(account))
        .routes(routes!(account_history))
        .routes(routes!(summary))
        .routes(routes!(security))
        .routes(routes!(scenario))
        .routes(routes!(what_if))
        .routes(routes!(put_policy))
        .layer(DefaultBodyLimit::max(SMALL_BYTES));
    let timed = large.merge(small).layer(middleware::from_fn_with_state(shared.clone(), timed));
    let (keyed_routes, api) = OpenApiRouter::with_openapi(Api::openapi())
        .merge(timed)
        .routes(routes!(stream::stream))
        .split_for_parts();
    let described: Arc<str> = Arc::from(described(api, shared.key.is_some()));
    let json = [(header::CONTENT_TYPE, "application/json")];
    keyed_routes
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(shared.clone(), keyed))
        .route("/openapi.json", get(move || async move { (json, described.to_string()) }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(crate::page::routes())
        .layer(middleware::from_fn_with_state(shared.clone(), counted))
        .fallback(|| async { Problem::unknown("unknown_path", "nothing answers this path") })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .with_state(shared)
}

/// Refuses a request without the key that is asked for.
async fn keyed(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let borne = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let borne = borne.and_then(|value| value.strip_prefix("Bearer "));
    match &shared.key {
        Some(key) if !borne.is_some_and(|borne| same(borne, key)) => Problem::unauthorised().into_response(),
        _ => next.run(request).await,
    }
}

/// Whether two keys are the same, in a time that does not tell how far they are.
fn same(a: &str, b: &str) -> bool {
    let differs = a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    a.len() == b.len() && differs == 0
}

/// Ends a request that takes too long, by a body that does not come or otherwise.
async fn timed(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(shared.longest, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timeout().into_response(),
    }
}

async fn counted(
    State(shared): State<Shared>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    shared.metrics.add(Metric::Requests, &[response.status().as_str()], 1);
    if let Some(path) = path {
        shared.metrics.note(Metric::Request, &[path.as_str()], started.elapsed().as_secs_f64());
    }
    response
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.text())
}

async fn ready(State(shared): State<Shared>) -> Result<&'static str, Problem> {
    if shared.ending.load(Ordering::Relaxed) { Err(Problem::ending()) } else { Ok("ready\n") }
}

/// What became of a submission.
#[derive(Serialize, ToSchema)]
struct Taken {
    accepted: u64,
    duplicates: u64,
    refused: Vec<Refused>,
    /// The last epoch that holds one of its events.
    epoch: u64,
}

/// An event that was refused.
#[derive(Serialize, ToSchema)]
struct Refused {
    /// Its line, or its place in the array, from 1.
    line: u32,
    code: &'static str,
    detail: String,
}

impl Taken {
    fn of(receipt: Receipt) -> Self {
        let refused = receipt.refused.into_iter();
        Taken {
            accepted: receipt.accepted,
            duplicates: receipt.duplicates,
            refused: refused.map(|r| Refused { line: r.line, code: r.code, detail: r.detail }).collect(),
            epoch: receipt.epoch,
        }
    }
}

fn read_whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_long(),
        _ => Problem::bad(rejected.body_text()),
    })
}

fn read_json<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Problem> {
    let read = body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_long(),
        _ => Problem::bad(rejected.body_text()),
    });
    read.map(|Json(value)| value)
}

/// Takes events: NDJSON, or a JSON array of them. The answer comes once all of them are committed.
#[utoipa::path(
    post, path = "/v1/events",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses(
        (status = 200, body = Taken, description = "What became of the events.")
    )
)]
async fn events(
    State(shared): State<Shared>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Problem> {
    let receipt = shared.writer.submit(read_whole(body)?).await?;
    Ok(Json(Taken::of(receipt)))
}

/// One account, with every term of its figures.
#[utoipa::path(
    get, path = "/v1/accounts/{account}", params(("account" = String, Path)),
    responses(
        (status = 200, body = Account, description = "The account.")
    )
)]
async fn account(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<Account>, Problem> {
    let answer =
        shared.writer.read(move |run, _| ordinal(run, &name).map(|ordinal| Account::of(run, ordinal)));
    answer.await?.map(Json)
}

fn ordinal(run: &Run, account: &str) -> Result<u32, Problem> {
    let known = run.names().find_account(account).and_then(|name| run.engine().ordinal_of(name));
    known.ok_or_else(|| Problem::unknown("unknown_account", format!("no account {account:?}")))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// Where the page before ended.
    cursor: Option<u64>,
    /// Effects at most.
    limit: Option<usize>,
}

/// What was told of an account, newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account}/history", params(("account" = String, Path), HistoryQuery),
    responses(
        (status = 200, body = History, description = "A page of its effects.")
    )
)]
async fn account_history(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let Query(query) = query.map_err(|rejected| Problem::bad(rejected.body_text()))?;
    let limit = limited(query.limit, PAGE)?;
    let account = name.clone();
    let known = shared.writer.read(move |run, _| {
        ordinal(run, &account)?;
        Ok::<_, Problem>((AsOf::of(run, None), run.log().last() + 1))
    });
    let (as_of, end) = known.await??;
    let before = query.cursor.unwrap_or(end).min(end);
    let _place = shared.readers.clone().try_acquire_owned().map_err(|_| Problem::busy())?;
    let past = shared.past.clone();
    let told = tokio::task::spawn_blocking(move || told_of(&past, &name, before, limit)).await;
    let history::Told { effects, cursor } =
        told.map_err(|_| Problem::ending())?.map_err(|fault| Problem::log(&fault))?;
    Ok(Json(History::of(as_of, effects, cursor)))
}

/// A security, with its liquidation map over all accounts.
#[utoipa::path(
    get, path = "/v1/securities/{security}", params(("security" = String, Path)),
    responses(
        (status = 200, body = Security, description = "The security.")
    )
)]
async fn security(State(shared): State<Shared>, Path(code): Path<String>) -> Result<Json<Security>, Problem> {
    let answer = shared.writer.read_all(move |run, _| {
        let known = run.names().find_security(&code);
        known.map(|name| Security::of(run, name)).ok_or(code)
    });
    answer
        .await?
        .map(Json)
        .map_err(|code| Problem::unknown("unknown_security", format!("no security {code:?}")))
}

/// Tiers now and over the day, the newest warnings, health of data.
#[utoipa::path(get, path = "/v1/summary", responses((status = 200, body = Picture, description = "The picture.")))]
async fn summary(State(shared): State<Shared>) -> Result<Json<Picture>, Problem> {
    shared.writer.read(|run, live| Picture::of(run, live)).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Tiers, with commas between.
    tier: Option<String>,
    customer: Option<String>,
    branch: Option<String>,
    /// `first`, as they first appeared, or `ratio`, the lowest first.
    order: Option<String>,
    limit: Option<usize>,
    /// Where the page before ended.
    cursor: Option<String>,
}

fn limited(asked: Option<usize>, (usual, most): (usize, usize)) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad(format!("limit is from 1 to {most}")))
    }
}

impl ListQuery {
    /// What is wanted, but for the customer, whose name the run knows.
    fn wanted(&self) -> Result<Wanted, Problem> {
        let mut tiers = [self.tier.is_none(); Tier::ALL.len()];
        for word in self.tier.iter().flat_map(|words| words.split(',')) {
            let tier = Tier::ALL.iter().find(|tier| tier.word() == word);
            let tier = tier.ok_or_else(|| Problem::bad(format!("no tier {word:?}")))?;
            tiers[*tier as usize] = true;
        }
        let by = match self.order.as_deref() {
            None | Some("first") => By::Ordinal,
            Some("ratio") => By::Ratio,
            Some(other) => return Err(Problem::bad(format!("order is first or ratio, not {other:?}"))),
        };
        let after = match &self.cursor {
            Some(text) => Some(after(text).ok_or_else(|| Problem::bad("no cursor that a page gave"))?),
            None => None,
        };
        Ok(Wanted { tiers, customer: None, branch: None, by, after, limit: limited(self.limit, PAGE)? })
    }
}

/// Accounts by tier, customer, branch and order, page by page.
#[utoipa::path(
    get, path = "/v1/accounts", params(ListQuery),
    responses(
        (status = 200, body = Page, description = "A page of accounts.")
    )
)]
async fn accounts(
    State(shared): State<Shared>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let Query(query) = query.map_err(|rejected| Problem::bad(rejected.body_text()))?;
    let wanted = query.wanted()?;
    let (customer, branch) = (query.customer, query.branch);
    let answer =
        shared.writer.read_all(move |run, _| page(run, customer.as_deref(), branch.as_deref(), wanted));
    answer.await?.map(Json)
}

/// A page of accounts, of one customer and one branch where they are named.
fn page(run: &Run, customer: Option<&str>, branch: Option<&str>, wanted: Wanted) -> Result<Page, Problem> {
    let names = run.names();
    let of_customer = |name: &str| {
        let unknown = || Problem::unknown("unknown_customer", format!("no customer {name:?}"));
        names.find_customer(name).ok_or_else(unknown)
    };
    let of_branch = |name: &str| {
        let unknown = || Problem::unknown("unknown_branch", format!("no branch {name:?}"));
        names.find_branch(name).ok_or_else(unknown)
    };
    let (customer, branch) = (customer.map(of_customer).transpose()?, branch.map(of_branch).transpose()?);
    let wanted = Wanted { customer, branch, ..wanted };
    let listed = run.engine().list(&wanted, run.threads());
    Ok(Page::of(run, &listed, wanted.limit))
}

/// A move of prices.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    /// `market`, `board:star`, `group:G`, `index:I` (times beta) or a security code.
    target: String,
    /// A decimal like -0.08.
    by: String,
}

/// A security's beta to its index.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Beta {
    security: String,
    beta: String,
}

/// Shocked prices: where several moves meet, the last one counts.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScenarioAsked {
    shocks: Vec<Move>,
    #[serde(default)]
    betas: Vec<Beta>,
    /// Securities whose forced sales are shown; 20 where nothing else is asked for.
    sales: Option<usize>,
}

fn bounded(count: usize) -> Result<(), Problem> {
    if count <= MOST_ASKED { Ok(()) } else { Err(Problem::bad(format!("more than {MOST_ASKED} at a time"))) }
}

/// What shocked prices would do: tiers, calls and their sum, forced sales by security.
#[utoipa::path(
    post, path = "/v1/scenario", request_body = ScenarioAsked,
    responses(
        (status = 200, body = Shocked, description = "The book under the shock.")
    )
)]
async fn scenario(
    State(shared): State<Shared>,
    body: Result<Json<ScenarioAsked>, JsonRejection>,
) -> Result<Json<Shocked>, Problem> {
    let asked = read_json(body)?;
    bounded(asked.shocks.len().max(asked.betas.len()))?;
    let shown = limited(asked.sales.filter(|&shown| shown > 0), SALES)?;
    let with_sales = asked.sales != Some(0);
    let answer = shared.writer.read_all(move |run, _| {
        let moves = asked.shocks.iter().map(|shock| (&*shock.target, &*shock.by));
        let betas = asked.betas.iter().map(|beta| (&*beta.security, &*beta.beta));
        let shock = ask::shock(run.names(), moves, betas).map_err(Problem::bad)?;
        let answer = run.engine().scenario(&shock, with_sales, run.threads());
        Ok(Shocked::of(run, &answer, shown))
    });
    answer.await?.map(Json)
}

/// Hypothetical events for an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhatIfAsked {
    account: String,
    /// Events in order; `v`, `source`, `id`, `at` and `account` may be left out.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Box<RawValue>>,
}

/// What hypothetical events would do to one account.
#[utoipa::path(
    post, path = "/v1/what-if", request_body = WhatIfAsked,
    responses(
        (status = 200, body = Hypothetical, description = "The account before and after.")
    )
)]
async fn what_if(
    State(shared): State<Shared>,
    body: Result<Json<WhatIfAsked>, JsonRejection>,
) -> Result<Json<Hypothetical>, Problem> {
    let asked = read_json(body)?;
    bounded(asked.events.len())?;
    let answer = shared.writer.read(move |run, _| {
        let ordinal = ordinal(run, &asked.account)?;
        let events = asked.events.iter().map(|event| event.get());
        let answer = run.aside(|engine, door| ask::what_if(engine, door, ordinal, events));
        answer.map(|answer| Hypothetical::of(run, &answer)).map_err(Problem::bad)
    });
    answer.await?.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PolicyQuery {
    /// Who changes it, for the log.
    by: String,
}

/// Puts another policy into force: the TOML file that `plimsoll check` reads. All faults come at once.
#[utoipa::path(
    post, path = "/v1/policy", params(PolicyQuery),
    request_body(content = String, content_type = "application/toml"),
    responses(
        (status = 200, body = Taken, description = "What became of the events.")
    )
)]
async fn put_policy(
    State(shared): State<Shared>,
    query: Result<Query<PolicyQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Problem> {
    let Query(PolicyQuery { by }) = query.map_err(|rejected| Problem::bad(rejected.body_text()))?;
    let body = read_whole(body)?;
    let text = String::from_utf8(body.to_vec()).map_err(|_| Problem::bad("a policy is text in UTF-8"))?;
    let event = shared.writer.read(move |run, _| policy::event(run, &text, &by, now())).await?;
    let event = event.map_err(|Faults(faults)| Problem::policy(faults))?;
    let receipt = shared.writer.submit(Bytes::from(event)).await?;
    Ok(Json(Taken::of(receipt)))
}
