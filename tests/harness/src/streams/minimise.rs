//! Makes a failing stream small: delta debugging over its lines, within a budget.

use std::time::{Duration, Instant};

/// The lines that are left when no tried piece can go without `fails` turning false. At most `runs` tries and
/// about `time` are spent.
pub fn minimise(
    lines: &[String],
    runs: usize,
    time: Duration,
    mut fails: impl FnMut(&[String]) -> bool,
) -> Vec<String> {
    let start = Instant::now();
    let mut left = lines.to_vec();
    let mut runs = runs;
    let mut piece = left.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        let mut shrunk = false;
        while at < left.len() {
            if runs == 0 || start.elapsed() > time {
                return left;
            }
            runs -= 1;
            let end = (at + piece).min(left.len());
            let mut trial = left[..at].to_vec();
            trial.extend_from_slice(&left[end..]);
            if fails(&trial) {
                left = trial;
                shrunk = true;
            } else {
                at = end;
            }
        }
        if piece == 1 && !shrunk {
            break;
        }
        piece = if piece == 1 { 1 } else { piece.div_ceil(2) };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_that_fail_together_are_all_that_is_left() {
        let lines: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let both = |lines: &[String]| lines.iter().any(|l| l == "17") && lines.iter().any(|l| l == "80");
        let left = minimise(&lines, 1000, Duration::from_secs(10), both);
        assert_eq!(left, ["17", "80"]);
    }
}
