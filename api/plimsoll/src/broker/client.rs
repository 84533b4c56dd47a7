//! The client: a body is sent until it is answered.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plimsoll_broker::Body;
use serde_json::Value;
use ureq::Agent;

use super::board::Board;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take: an epoch of every account, with its sync.
const ANSWER: Duration = Duration::from_secs(60);
/// How long to wait until what was not answered is sent again, where the server does not say.
const AGAIN: Duration = Duration::from_millis(200);
/// Refusals of an answer that are shown.
const REFUSALS_SHOWN: usize = 3;

/// Tiers that are shown, the mildest first.
const TIERS: [&str; 5] = ["watch", "warning", "call", "immediate", "insolvent"];

/// A client of a server.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    key: Option<String>,
    record: Option<Arc<Mutex<File>>>,
    board: Arc<Board>,
}

/// Why a body was not answered.
enum Unanswered {
    /// It may be sent again, after a while.
    Later(Duration, String),
    /// It may not.
    Never(String),
}

impl Client {
    /// A client that writes what is answered into a file, where one is given.
    ///
    /// # Errors
    /// Where that file cannot be opened.
    pub fn new(
        url: &str,
        key: Option<String>,
        record: Option<&Path>,
        board: Arc<Board>,
    ) -> Result<Self, String> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .proxy(None)
            .build()
            .new_agent();
        let open = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.map(|file| Arc::new(Mutex::new(file)))
                .map_err(|cause| format!("{}: {cause}", path.display()))
        };
        let url = url.trim_end_matches('/').to_owned();
        Ok(Client { agent, url, key, record: record.map(open).transpose()?, board })
    }

    /// Sends a body until it is answered.
    ///
    /// # Errors
    /// Where the server refuses the request itself, or the record cannot be written.
    pub fn send(&self, body: &Body) -> Result<(), String> {
        let first = Instant::now();
        let mut lost = false;
        let answer = loop {
            let sent = Instant::now();
            match self.post(&body.lines) {
                Ok(answer) => {
                    self.board.answered(body.events, sent.elapsed());
                    break answer;
                }
                Err(Unanswered::Never(what)) => return Err(what),
                Err(Unanswered::Later(wait, what)) => {
                    if !std::mem::replace(&mut lost, true) {
                        self.board.say(&format!("not answered ({what}): sent again until it is"));
                    }
                    std::thread::sleep(wait);
                }
            }
        };
        if lost {
            let duplicates = answer["duplicates"].as_u64().unwrap_or(0);
            let after = first.elapsed().as_secs_f64();
            self.board.say(&format!(
                "answered after {after:.1} s: {duplicates} of {} events were there already",
                body.events
            ));
        }
        self.show_refusals(&answer);
        self.keep(body)
    }

    fn post(&self, lines: &[u8]) -> Result<Value, Unanswered> {
        let later = |what: String| Unanswered::Later(AGAIN, what);
        let mut request = self.agent.post(format!("{}/v1/events", self.url));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(lines).map_err(|cause| later(cause.to_string()))?;
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
        let text = response.body_mut().read_to_string().map_err(|cause| later(cause.to_string()))?;
        match status {
            200 => serde_json::from_str(&text).map_err(|cause| Unanswered::Never(format!("{cause}: {text}"))),
            429 | 503 => {
                Err(Unanswered::Later(wait.map_or(AGAIN, Duration::from_secs), format!("status {status}")))
            }
            _ => Err(Unanswered::Never(format!("{}: status {status}: {text}", self.url))),
        }
    }

    /// Counts the refusals of an answer and shows the first of them.
    fn show_refusals(&self, answer: &Value) {
        let Some(refused) = answer["refused"].as_array().filter(|refused| !refused.is_empty()) else {
            return;
        };
        self.board.refused(refused.len() as u64);
        for one in refused.iter().take(REFUSALS_SHOWN) {
            self.board.say(&format!("refused: {one}"));
        }
    }

    fn keep(&self, body: &Body) -> Result<(), String> {
        let Some(record) = &self.record else { return Ok(()) };
        let mut file = record.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&body.lines).map_err(|cause| format!("cannot write the record: {cause}"))
    }

    /// Accounts in the tiers that matter, where the server says.
    pub fn tiers(&self) -> Option<Vec<(&'static str, u64)>> {
        let mut request = self.agent.get(format!("{}/v1/summary", self.url));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let text = request.call().ok()?.body_mut().read_to_string().ok()?;
        let summary: Value = serde_json::from_str(&text).ok()?;
        let count = |tier: &&'static str| Some((*tier, summary["tiers"][*tier].as_u64()?));
        TIERS.iter().map(count).collect()
    }
}
