//! The stream: committed effects to clients, each from where it left off, without gap or double.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use plimsoll_log::Past;
use plimsoll_telemetry::{Metric, Metrics};
use plimsoll_wire::print::write_escaped;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::IntoParams;

use crate::hub::{Hub, Kept, Line, Told};
use crate::problem::Problem;
use crate::routes::Shared;

/// Epochs that a listener who fell behind is given at a time.
const CATCH_UP: usize = 8;
/// The type by which a listener asks for summaries.
const SUMMARY: &str = "summary";

#[derive(Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    account: Option<String>,
    /// Types of effects, with commas between; `summary` comes once a second, only where it is asked for.
    r#type: Option<String>,
    /// Tiers moved to, with commas between.
    tier: Option<String>,
}

fn among(words: &Option<String>, word: Option<&str>) -> bool {
    words.as_ref().is_none_or(|words| word.is_some_and(|word| words.split(',').any(|one| one == word)))
}

impl Filter {
    fn passes(&self, line: &Line<'_>) -> bool {
        among(&self.r#type, Some(line.kind))
            && among(&self.tier, line.tier)
            && self.account.as_deref().is_none_or(|account| line.account == Some(account))
    }

    fn wants_summaries(&self) -> bool {
        self.r#type.is_some() && among(&self.r#type, Some(SUMMARY))
    }
}

/// A listener: what it was told last, and what waits for it.
struct Listener {
    hub: Hub,
    news: watch::Receiver<u64>,
    summaries: Option<watch::Receiver<Arc<str>>>,
    past: Past,
    filter: Filter,
    /// The next effect it has not been told of.
    next: (u64, u32),
    /// The epoch it is being told of, and how far.
    current: Option<(Arc<Told>, usize)>,
    /// Epochs from the log that come next, and the leave to hold them.
    waiting: VecDeque<Arc<Told>>,
    catching_up: Option<OwnedSemaphorePermit>,
    /// Listeners that hold epochs from the log at a time.
    behind: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.metrics.shift(Metric::Streams, -1);
    }
}

impl Listener {
    /// The next effect of the epoch it is being told of.
    fn line(&mut self) -> Option<Event> {
        let (told, at) = self.current.as_mut()?;
        let from = if told.epoch == self.next.0 { self.next.1 } else { 0 };
        while let Some(line) = told.line(*at) {
            *at += 1;
            if line.n >= from && self.filter.passes(&line) {
                let event = Event::default().id(format!("{}-{}", told.epoch, line.n));
                return Some(event.event(line.kind).data(line.json));
            }
        }
        self.next = (told.epoch + 1, 0);
        self.current = None;
        None
    }

    /// Takes the next epochs from the log; false where it cannot be read.
    async fn catch_up(&mut self) -> bool {
        if self.catching_up.is_none() {
            self.metrics.add(Metric::StreamsBehind, &[], 1);
            self.catching_up = self.behind.clone().acquire_owned().await.ok();
        }
        let (past, from) = (self.past.clone(), self.next.0);
        let read = tokio::task::spawn_blocking(move || past.epochs(from, CATCH_UP)).await;
        // A log that cannot be read ends the process elsewhere; here it ends the stream.
        let Ok(Ok(epochs)) = read else { return false };
        let told = epochs.into_iter().map(|epoch| Arc::new(Told::of(epoch.record.number, epoch.effects)));
        self.waiting.extend(told);
        !self.waiting.is_empty()
    }

    /// The next event; none once the service ends.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.line() {
                return Some(event);
            }
            if let Some(told) = self.waiting.pop_front() {
                self.current = Some((told, 0));
                continue;
            }
            match self.hub.told(self.next.0) {
                Kept::Told(told) => {
                    (self.current, self.catching_up) = (Some((told, 0)), None);
                }
                Kept::InLog => {
                    if !self.catch_up().await {
                        return None;
                    }
                }
                Kept::ToCome => {
                    self.catching_up = None;
                    tokio::select! {
                        news = self.news.changed() => news.ok()?,
                        summary = next_summary(&mut self.summaries) => {
                            return Some(Event::default().event(SUMMARY).data(&*summary));
                        }
                    }
                }
            }
        }
    }
}

/// The next summary; never, where none is wanted.
async fn next_summary(summaries: &mut Option<watch::Receiver<Arc<str>>>) -> Arc<str> {
    if let Some(summaries) = summaries
        && summaries.changed().await.is_ok()
    {
        return summaries.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// The id of an event as a listener gives it back: epoch and place.
fn event_id(text: &str) -> Option<(u64, u32)> {
    let (epoch, n) = text.split_once('-')?;
    Some((epoch.parse().ok()?, n.parse().ok()?))
}

/// A text as it stands between the quotes of a JSON string.
fn written(text: &str) -> String {
    let mut out = Vec::new();
    write_escaped(&mut out, text.as_bytes());
    String::from_utf8(out).expect("what was text stays text")
}

/// Effects as they are committed, as server-sent events; after `Last-Event-ID` where it is given.
#[utoipa::path(
    get, path = "/v1/stream",
    params(Filter, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was heard.")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, description = "Effects and summaries.")
    )
)]
pub(crate) async fn stream(
    State(shared): State<Shared>,
    query: Result<Query<Filter>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(mut filter) = query.map_err(|rejected| Problem::bad(rejected.body_text()))?;
    filter.account = filter.account.map(|account| written(&account));
    let place = shared.listeners.clone().try_acquire_owned().map_err(|_| Problem::busy())?;
    // First the news, then where the log ends: nothing falls between.
    let news = shared.hub.listen();
    let summaries = filter.wants_summaries().then(|| shared.hub.summaries());
    let last = shared.writer.read(|run, _| run.log().last()).await?;
    let next = match headers.get("last-event-id") {
        Some(id) => {
            let id = id.to_str().ok().and_then(event_id);
            let (epoch, n) = id.ok_or_else(|| Problem::bad("Last-Event-ID is no id of an event"))?;
            if epoch == 0 { (1, 0) } else { (epoch, n.saturating_add(1)) }
        }
        None => (last + 1, 0),
    };
    if next.0 <= last && shared.past.first().map_err(|fault| Problem::log(&fault))? > next.0 {
        return Err(Problem::gone());
    }
    shared.metrics.shift(Metric::Streams, 1);
    let listener = Listener {
        hub: shared.hub,
        news,
        summaries,
        past: shared.past,
        filter,
        next,
        current: None,
        waiting: VecDeque::new(),
        catching_up: None,
        behind: shared.behind,
        metrics: shared.metrics,
        _place: place,
    };
    let events =
        unfold(listener, |mut listener| async { listener.event().await.map(|event| (Ok(event), listener)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::print::write_text;

    #[test]
    fn an_account_is_found_by_its_whole_name_whatever_it_is() {
        let accounts = ["A-1", "A-10", r#"a "quoted" one\"#, "两融\n", "\u{1}"];
        let mut effects = Vec::new();
        for (n, account) in accounts.iter().enumerate() {
            effects.extend(format!(r#"{{"v":1,"type":"restricted","n":{n},"account":"#).into_bytes());
            write_text(&mut effects, account);
            effects.extend(b"}\n");
        }
        let told = Told::of(1, effects);
        for (asked, account) in accounts.iter().enumerate() {
            let filter = Filter { account: Some(written(account)), r#type: None, tier: None };
            for place in 0..accounts.len() {
                let line = told.line(place).expect("an effect");
                assert_eq!(filter.passes(&line), place == asked, "{account:?} asked, {line:?}");
            }
        }
    }
}
