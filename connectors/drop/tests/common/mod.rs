//! A folder that is watched by hand, and a service that takes everything.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use encoding_rs::GB18030;
use parquet::arrow::ArrowWriter;
use plimsoll_drop::{NotTaken, Receipt, Report, Sources, Watch};

pub struct Folder {
    base: PathBuf,
    watch: Watch,
    now: SystemTime,
    /// What was submitted, a body each.
    pub submitted: Vec<Vec<u8>>,
    /// Submissions that are taken before the service is busy.
    pub room: usize,
}

/// A path of its own for a test.
pub fn base() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let base = std::env::temp_dir().join(format!("plimsoll-drop-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&base);
    std::fs::create_dir_all(&base).expect("a folder");
    base
}

/// The first folder of a configuration.
pub fn folder(text: &str) -> Folder {
    at(text, base())
}

pub fn at(text: &str, base: PathBuf) -> Folder {
    let sources = Sources::parse(text, &base).unwrap_or_else(|faults| panic!("{}", faults.join("\n")));
    let watch = Watch::new(sources.folders.into_iter().next().expect("a folder"));
    std::fs::create_dir_all(&watch.folder().path).expect("a folder");
    Folder { base, watch, now: SystemTime::now(), submitted: Vec::new(), room: usize::MAX }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

impl Folder {
    pub fn path(&self) -> &Path {
        &self.watch.folder().path
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path().join(name), content).expect("written");
    }

    pub fn later(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    pub fn poll(&mut self) -> Vec<Report> {
        self.later(1);
        let mut receive = |body: Vec<u8>| {
            if self.submitted.len() >= self.room {
                return Err(NotTaken::Busy);
            }
            let accepted = body.iter().filter(|&&byte| byte == b'\n').count() as u64;
            self.submitted.push(body);
            Ok(Receipt { accepted, ..Receipt::default() })
        };
        self.watch.poll(self.now, &mut receive).expect("polled")
    }

    /// The next reports.
    pub fn waited(&mut self) -> Vec<Report> {
        for _ in 0..10 {
            let reports = self.poll();
            if !reports.is_empty() {
                return reports;
            }
        }
        panic!("nothing was taken of {:?}", self.names(""))
    }

    /// The next report, where it is the only one.
    pub fn taken(&mut self) -> Report {
        let mut reports = self.waited();
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0)
    }

    pub fn names(&self, of: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(of)).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}

/// Lines of JSON.
pub fn fields(lines: &[u8]) -> Vec<serde_json::Value> {
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

pub const NIGHT: [(&str, &str); 5] = [
    (
        "account_20260119.csv",
        "客户号,资金账号,客户类别,营业部,授信额度,开户日期,备注\r\n\
         C1,66000001,0,\"上海,静安\",500,20200301,张三\r\n\
         C2,66000002,1,深圳,100.5,0,\r\n",
    ),
    ("cash_20260119.csv", "资金账号,资金余额\n66000001,123456\n66000002,100000000\n"),
    (
        "positions_20260119.csv",
        "资金账号,证券代码,市场,持仓数量,冻结数量\n66000001,600519,1,10,0\n66000001,1,2,0.50,.5\n",
    ),
    (
        "contracts_20260119.csv",
        "资金账号|合约编号|负债类型|证券代码|市场|合约数量|合约金额|未还利息|年利率|开仓日期|到期日\n\
         66000001|D1|融资|600519|1|500|500000.50|12.30|8.35|20260105|20260705\n\
         66000002|S1|融券|000001|2|200|2400||6|2026-01-06|0\n",
    ),
    ("20260119.ok", ""),
];

/// The folder of the example, with the files of a night.
pub fn nightly() -> Folder {
    let folder = folder(include_str!("../../examples/nightly.toml"));
    for (name, text) in NIGHT {
        folder.write(name, &GB18030.encode(text).0);
    }
    folder
}

/// Fills as a broker's own table has them.
pub fn broker_table(path: &Path) {
    let texts = |of: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(of.to_vec())) };
    let prices =
        Decimal128Array::from(vec![123_456, 100_000]).with_precision_and_scale(12, 4).expect("prices");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int32Array::from(vec![1, 2]))),
        ("when", Arc::new(TimestampMillisecondArray::from(vec![1_768_786_203_000; 2]).with_timezone("UTC"))),
        ("账户", texts(["A1", "A2"])),
        ("证券", texts(["600519.SH", "000001.SZ"])),
        ("数量", Arc::new(Int32Array::from(vec![5, 6]))),
        ("价格", Arc::new(prices)),
        ("费用", Arc::new(Float64Array::from(vec![Some(0.1 + 0.2), None]))),
        ("到期", Arc::new(Date32Array::from(vec![Some(20_653), None]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)));
    let batch = batch.expect("a batch");
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}
