//! Ex-rights: cash, bonus and rights per share by ex-date.

use std::collections::HashMap;
use std::path::Path;

use crate::Error;
use crate::day::Day;
use crate::table::Table;

/// What a share gets on an ex-date, each in 1/10⁸ (yuan or shares) per share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Cash dividend.
    pub cash: i64,
    /// Bonus shares.
    pub bonus: i64,
    /// Rights offered.
    pub rights: i64,
    /// Subscription price of the rights.
    pub rights_price: i64,
}

/// Every ex-date of every security, ascending.
#[derive(Debug)]
pub struct ExRights {
    by_code: HashMap<String, Vec<(Day, Terms)>>,
}

impl ExRights {
    /// Reads `exrights_1990_2021.parquet`.
    ///
    /// # Errors
    /// When the file cannot be read, or a figure is negative or has no exact decimal.
    pub fn read(data: &Path) -> Result<ExRights, Error> {
        let path = data.join("exrights_1990_2021.parquet");
        let table = Table::read(
            &path,
            &[
                "code",
                "date",
                "cash_per10_yuan",
                "bonus_per10_shares",
                "rights_per10_shares",
                "rights_price_yuan",
            ],
        )?;
        let days = table.days("date")?;
        let tenth = |name: &str| column(&table, name, 7);
        let cash = tenth("cash_per10_yuan")?;
        let bonus = tenth("bonus_per10_shares")?;
        let rights = tenth("rights_per10_shares")?;
        let price = column(&table, "rights_price_yuan", 8)?;
        let mut by_code: HashMap<String, Vec<(Day, Terms)>> = HashMap::new();
        for (row, code) in table.texts("code")?.into_iter().enumerate() {
            let terms =
                Terms { cash: cash[row], bonus: bonus[row], rights: rights[row], rights_price: price[row] };
            by_code.entry(code.to_string()).or_default().push((days[row], terms));
        }
        for list in by_code.values_mut() {
            list.sort_by_key(|(day, _)| *day);
        }
        Ok(ExRights { by_code })
    }

    /// The actions of a security with `after` < ex-date ≤ `until`, in order.
    #[must_use]
    pub fn within(&self, code: &str, after: Day, until: Day) -> &[(Day, Terms)] {
        let list = self.by_code.get(code).map_or(&[][..], Vec::as_slice);
        let start = list.partition_point(|(day, _)| *day <= after);
        let end = list.partition_point(|(day, _)| *day <= until);
        &list[start..end.max(start)]
    }
}

/// A column of doubles as integers of 1/10^`digits`.
fn column(table: &Table, name: &str, digits: u32) -> Result<Vec<i64>, Error> {
    table
        .floats(name)?
        .into_iter()
        .map(|value| {
            exact(value, digits).ok_or_else(|| {
                Error::data(table.path(), format!("{name}: {value} is no decimal of {digits} places"))
            })
        })
        .collect()
}

/// The decimal a source meant, as an integer of 1/10^`digits`.
///
/// The figures went through 32-bit floats before they became doubles (43.740002 for 43.74); the shortest
/// text that names the same 32-bit float gives the written figure back.
fn exact(value: f64, digits: u32) -> Option<i64> {
    if !(0.0..1_000_000.0).contains(&value) {
        return None;
    }
    let text = (value as f32).to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = digits as usize;
    if fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_that_were_floats_give_the_written_figure() {
        assert_eq!(exact(43.740_002, 7), Some(437_400_000));
        assert_eq!(exact(0.330_791, 7), Some(3_307_910));
        assert_eq!(exact(3.0, 7), Some(30_000_000));
        assert_eq!(exact(10.46, 8), Some(1_046_000_000));
        assert_eq!(exact(0.0, 7), Some(0));
        assert_eq!(exact(-1.0, 7), None);
        assert_eq!(exact(f64::NAN, 7), None);
        assert_eq!(exact(1e-9, 7), None);
    }
}
