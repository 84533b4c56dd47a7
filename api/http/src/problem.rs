//! What a client is told of a request that cannot be answered: RFC 9457, with stable codes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use plimsoll_log::Fault;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem.
#[derive(Debug)]
pub(crate) struct Problem {
    code: &'static str,
    status: StatusCode,
    detail: String,
    retry_after_s: Option<u32>,
    faults: Vec<String>,
}

/// A problem as a client gets it (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body {
    r#type: String,
    title: String,
    status: u16,
    /// A stable word.
    code: &'static str,
    /// For people.
    detail: String,
    /// Each fault of a policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
}

impl Problem {
    fn new(code: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        Problem { code, status, detail: detail.into(), retry_after_s: None, faults: Vec::new() }
    }

    /// Something in the request is not what it should be.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new("bad_request", StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such thing.
    pub(crate) fn unknown(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(code, StatusCode::NOT_FOUND, detail)
    }

    /// The request bears no key, or another.
    pub(crate) fn unauthorised() -> Self {
        Self::new("unauthorised", StatusCode::UNAUTHORIZED, "a bearer key is asked for")
    }

    /// More waits already than may.
    pub(crate) fn busy() -> Self {
        let problem = Self::new(
            "busy",
            StatusCode::TOO_MANY_REQUESTS,
            "more waits already than may; nothing was taken",
        );
        Problem { retry_after_s: Some(1), ..problem }
    }

    /// Whether what was asked may be asked again soon.
    pub(crate) fn is_busy(&self) -> bool {
        self.code == "busy"
    }

    /// The run has ended, or is about to.
    pub(crate) fn ending() -> Self {
        Self::new(
            "ending",
            StatusCode::SERVICE_UNAVAILABLE,
            "the service is ending; what was not answered may be sent again",
        )
    }

    /// The request took too long.
    pub(crate) fn timeout() -> Self {
        Self::new(
            "timeout",
            StatusCode::REQUEST_TIMEOUT,
            "the request took too long; what was sent may be there or not, and may be sent again",
        )
    }

    /// The path does not take this method.
    pub(crate) fn method() -> Self {
        Self::new("method", StatusCode::METHOD_NOT_ALLOWED, "the path does not take this method")
    }

    /// What is asked for is no longer in the log.
    pub(crate) fn gone() -> Self {
        Self::new("gone", StatusCode::GONE, "the log no longer holds what comes after that id")
    }

    /// The log cannot be read.
    pub(crate) fn log(fault: &Fault) -> Self {
        Self::new(fault.word(), StatusCode::INTERNAL_SERVER_ERROR, "the log cannot be read back to there")
    }

    /// A policy with faults.
    pub(crate) fn policy(faults: Vec<String>) -> Self {
        let problem = Self::new("bad_policy", StatusCode::UNPROCESSABLE_ENTITY, faults.join("; "));
        Problem { faults, ..problem }
    }

    /// The body is longer than one may be.
    pub(crate) fn too_long() -> Self {
        Self::new("too_long", StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than one may be")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem { code, status, detail, retry_after_s, faults } = self;
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        let r#type = format!("urn:plimsoll:problem:{code}");
        let body = Body { r#type, title, status: status.as_u16(), code, detail, faults };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
