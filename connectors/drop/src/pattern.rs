//! Patterns of file names: `*` any characters, `?` one, `{date}` a date of eight figures.

use crate::when;

/// Stars that a pattern may have: trying them costs a power of the name's length.
pub const MOST_STARS: usize = 4;
/// What stands for a date.
pub const DATE: &str = "{date}";

/// The date in a name that fits a pattern, empty where the pattern has none; nothing where it does not fit.
pub fn fits<'n>(pattern: &str, name: &'n str) -> Option<&'n str> {
    from(pattern, name, "")
}

fn from<'n>(pattern: &str, name: &'n str, date: &'n str) -> Option<&'n str> {
    if let Some(rest) = pattern.strip_prefix(DATE) {
        let (eight, after) = name.split_at_checked(8)?;
        when::date(eight)?;
        return from(rest, after, eight);
    }
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty().then_some(date),
        Some('*') => {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.find_map(|at| from(rest.as_str(), &name[at..], date))
        }
        Some('?') => {
            let mut name = name.chars();
            name.next()?;
            from(rest.as_str(), name.as_str(), date)
        }
        Some(one) => from(rest.as_str(), name.strip_prefix(one)?, date),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, want) in [
            ("positions_{date}.csv", "positions_20260119.csv", Some("20260119")),
            ("positions_{date}.csv", "positions_20260132.csv", None),
            ("positions_{date}*.csv", "positions_20260119_上海.csv", Some("20260119")),
            ("*_{date}.csv", "持仓_a_20260119.csv", Some("20260119")),
            ("*.csv", "a.csv", Some("")),
            ("*.csv", "a.csv.part", None),
            ("a?c", "a中c", Some("")),
            ("a?c", "ac", None),
            ("", "", Some("")),
            ("{date}", "2026-01-19", None),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }
}
