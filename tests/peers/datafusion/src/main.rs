//! `peers-datafusion FOLDER`: DataFusion over tables in memory. Positions stand by account, so the
//! sums are made in order and nothing is hashed; the price of a security is a function that looks it up
//! in an array, faster than a join; the plan is made once. One thread.

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Int64Type, UInt32Type};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext, col};
use peers_common::{Book, Data, Holding, race};
use std::sync::{Arc, RwLock};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a batch: they stay in cache from the look-up to the sum.
const BATCH: usize = 8192;

type Prices = Arc<RwLock<Vec<i64>>>;

/// Registers holdings as a table that says it is sorted.
fn register(context: &SessionContext, name: &str, holdings: &[Holding]) -> Result<()> {
    let batch = |rows: &[Holding]| -> Result<RecordBatch> {
        let columns: [(&str, ArrayRef); 3] = [
            ("account", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.account)))),
            ("security", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.security)))),
            ("quantity", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.quantity)))),
        ];
        Ok(RecordBatch::try_from_iter(columns)?)
    };
    let batches: Vec<_> = holdings.chunks(BATCH).map(batch).collect::<Result<_>>()?;
    let table = MemTable::try_new(batches[0].schema(), vec![batches])?;
    let sorted = table.with_sort_order(vec![vec![col("account").sort(true, false)]]);
    context.register_table(name, Arc::new(sorted))?;
    Ok(())
}

/// `price(security)`.
fn register_price(context: &SessionContext, prices: Prices) {
    let look_up = move |args: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let prices = prices.read().expect("nobody panicked");
        let securities = arrays[0].as_primitive::<UInt32Type>();
        let found = securities.values().iter().map(|&security| prices[security as usize]);
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from_iter_values(found))))
    };
    let (takes, gives) = (vec![DataType::UInt32], DataType::Int64);
    // Volatile: it gives other prices at the next snapshot.
    context.register_udf(create_udf("price", takes, gives, Volatility::Volatile, Arc::new(look_up)));
}

/// A prepared sum of quantity × price by account.
struct Worth {
    plan: Arc<dyn ExecutionPlan>,
}

impl Worth {
    async fn of(context: &SessionContext, table: &str) -> Result<Self> {
        let query =
            format!("select account, sum(price(security) * quantity) as value from {table} group by account");
        Ok(Worth { plan: context.sql(&query).await?.create_physical_plan().await? })
    }

    /// Gives account and value to `take`.
    fn each(&self, context: &SessionContext, runtime: &Runtime, mut take: impl FnMut(u32, i64)) {
        let batches = runtime.block_on(collect(self.plan.clone(), context.task_ctx())).expect("a result");
        for batch in &batches {
            let accounts = batch.column(0).as_primitive::<UInt32Type>().values();
            let values = batch.column(1).as_primitive::<Int64Type>().values();
            accounts.iter().zip(values).for_each(|(&account, &value)| take(account, value));
        }
    }
}

fn main() -> Result<()> {
    let data = Data::load();
    let runtime = Builder::new_current_thread().build()?;
    let config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH);
    let context = SessionContext::new_with_config(config);
    let prices: Prices = Arc::new(RwLock::new(data.prices));
    register(&context, "held", &data.positions)?;
    register(&context, "owed", &data.shorts)?;
    register_price(&context, prices.clone());
    let held = runtime.block_on(Worth::of(&context, "held"))?;
    let owed = runtime.block_on(Worth::of(&context, "owed"))?;
    drop((data.positions, data.shorts));

    let fixed: Vec<i64> = data.accounts.iter().map(|account| account.fixed).collect();
    let money: Vec<i64> = data.accounts.iter().map(|account| account.money).collect();
    let mut debts = money.clone();
    let mut book = Book::new(data.accounts);
    race(
        "DataFusion",
        &data.folder,
        data.feed.len(),
        |epoch| &data.feed[epoch],
        |quotes| {
            for &(security, price) in quotes {
                prices.write().expect("nobody panicked")[security as usize] = price;
            }
            owed.each(&context, &runtime, |account, value| {
                debts[account as usize] = money[account as usize] + value;
            });
            let mut changes = Vec::new();
            held.each(&context, &runtime, |account, value| {
                let i = account as usize;
                book.settle(account, fixed[i] + value, debts[i], &mut changes);
            });
            changes.sort_unstable();
            changes
        },
    );
    Ok(())
}
