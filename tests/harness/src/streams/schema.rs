//! The fields of every input type: which must be there and which may.

/// One input type.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub required: &'static [&'static str],
    pub optional: &'static [&'static str],
}

const fn kind(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> Kind {
    Kind { name, required, optional }
}

/// All types that are enabled.
pub const KINDS: [Kind; 21] = [
    kind(
        "security",
        &["security", "name", "class", "board", "collateral", "financing", "shorting", "haircut"],
        &[
            "indices",
            "risk_warning",
            "delisting",
            "suspended",
            "suspended_since",
            "financing_margin",
            "short_margin",
            "total_shares",
            "float_shares",
            "pe_static",
            "average_turnover",
            "group",
            "lot",
            "tick",
            "sell_after",
            "listed_on",
            "pledge_share",
        ],
    ),
    kind(
        "quote",
        &["security"],
        &[
            "price",
            "prev_close",
            "bid1",
            "ask1",
            "limit_up",
            "limit_down",
            "phase",
            "volume",
            "turnover",
            "last",
        ],
    ),
    kind("index", &["index", "level"], &[]),
    kind("mark", &["security", "by", "reason"], &[]),
    kind(
        "corporate_action",
        &["security", "kind", "ex_date"],
        &["record_date", "pay_date", "list_date", "per_share", "ratio", "price", "compensation"],
    ),
    kind(
        "account",
        &["account", "customer", "client_class"],
        &["name", "branch", "manager", "rating", "credit_line", "contacts", "opened"],
    ),
    kind(
        "lines",
        &["account"],
        &[
            "free",
            "watch",
            "warning",
            "call",
            "immediate",
            "restore_call",
            "restore_sale",
            "sale_floor",
            "deadline_days",
            "deadline_time",
            "call_basis",
            "immediate_basis",
            "agreement",
            "valid_from",
        ],
    ),
    kind("opening", &["account", "cash"], &["positions", "contracts", "other_collateral", "receivables"]),
    kind("cash", &["account", "amount", "reason"], &[]),
    kind("transfer", &["account", "security", "quantity"], &[]),
    kind(
        "fill",
        &["account", "side", "security", "quantity", "price"],
        &["fee", "contract", "order", "rate", "due", "margin_ratio"],
    ),
    kind("repay", &["account", "contract"], &["amount", "quantity"]),
    kind("interest", &["account", "contract", "amount", "kind"], &[]),
    kind("extend", &["account", "contract", "due"], &["rate", "margin_ratio"]),
    kind("order", &["account", "order", "side", "security", "quantity", "price", "status", "remaining"], &[]),
    kind("other_collateral", &["account", "value"], &["note"]),
    kind("day_start", &["date"], &[]),
    kind("day_end", &["date"], &[]),
    kind("policy", &["version", "policy", "by"], &[]),
    kind("rules", &["version", "table", "rows"], &[]),
    kind("calendar", &["version", "dates"], &["sessions"]),
];

/// Types of later features: known, and refused until they exist.
pub const LATER: [&str; 17] = [
    "haircut",
    "outlook",
    "signal",
    "relation",
    "exposure",
    "decision",
    "task",
    "delivery",
    "reply",
    "preference",
    "freeze",
    "sale_quota",
    "borrow",
    "short_stat",
    "market_stat",
    "trade_report",
    "capital",
];

/// The fields of a type that is enabled.
pub fn fields(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
