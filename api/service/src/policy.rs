//! A policy file as an event of the log.

use plimsoll_engine::num::Time;
use plimsoll_wire::time::write_time;

use crate::run::Run;

/// What is wrong with a policy, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

/// The event that puts the policy of a TOML text into force, named after its bytes and the place in the log.
///
/// # Errors
/// All faults of the text.
pub fn event(run: &Run, text: &str, by: &str, now: Time) -> Result<String, Faults> {
    let read = plimsoll_wire::policy::from_toml(text, run.rules());
    read.map_err(|faults| Faults(faults.iter().map(ToString::to_string).collect()))?;
    let policy: serde_json::Value = toml::from_str(text).map_err(|cause| Faults(vec![cause.to_string()]))?;
    let version = &blake3::hash(text.as_bytes()).to_hex()[..16];
    let mut at = Vec::new();
    write_time(&mut at, now);
    let event = serde_json::json!({
        "v": 1,
        "type": "policy",
        "id": format!("policy-{version}-{}", run.epoch() + 1),
        "source": "plimsoll",
        "at": String::from_utf8_lossy(&at),
        "version": version,
        "policy": policy,
        "by": by,
    });
    Ok(event.to_string())
}
