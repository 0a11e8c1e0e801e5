//! Rolling rows up into groups.
//!
//! Owns the first half of a GROUP BY of codes, each core for itself; the engine would look at each
//! row's texts. Leaves the second half, which puts the cores' groups together, and what is summed
//! or counted to the engine.
//!
//! Invariant: whatever the engine would put together from its own first half, it can put together
//! from this one. A group may be handed out more than once.

mod groups;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt::{self, Formatter};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::CastExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
};
use futures::{StreamExt, stream};

use groups::{Groups, can_be_keys, is_coded};

/// Of fewer rows than one in so many, a filter's rows are picked beforehand.
const FEW: usize = 4;
/// After so many rows it is looked at whether most of them are groups of their own.
const PROBE_ROWS: usize = 100_000;

/// Lets [`RollUp`] do what it can of a plan.
#[derive(Debug)]
pub(super) struct RollUpCodes;

impl PhysicalOptimizerRule for RollUpCodes {
    fn name(&self) -> &'static str {
        "RollUpCodes"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rolled_up = plan.transform_up(|plan| {
            Ok(match plan.downcast_ref::<AggregateExec>() {
                Some(aggregate) if RollUp::can(aggregate)? => {
                    Transformed::yes(Arc::new(RollUp::new(aggregate.clone())))
                }
                _ => Transformed::no(plan),
            })
        });
        Ok(rolled_up?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The first half of a GROUP BY.
#[derive(Debug)]
struct RollUp {
    /// What the engine would have done.
    aggregate: AggregateExec,
    metrics: ExecutionPlanMetricsSet,
}

impl RollUp {
    fn new(aggregate: AggregateExec) -> Self {
        Self {
            aggregate,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Whether it can do this, and is quicker.
    fn can(aggregate: &AggregateExec) -> Result<bool> {
        let keys = aggregate.group_expr();
        if *aggregate.mode() != AggregateMode::Partial
            || !keys.is_single()
            || *aggregate.input_order_mode() != InputOrderMode::Linear
            || aggregate.limit_options().is_some()
        {
            return Ok(false);
        }
        let input = aggregate.input().schema();
        let kinds = keys.expr().iter();
        let kinds = kinds.map(|(key, _)| under_cast(key, &input)?.data_type(&input));
        let kinds = kinds.collect::<Result<Vec<_>>>()?;
        let can = |sum: &Arc<AggregateFunctionExpr>| {
            sum.groups_accumulator_supported() && sum.order_bys().is_empty()
        };
        Ok(can_be_keys(kinds.iter()) && aggregate.aggr_expr().iter().all(can))
    }
}

impl DisplayAs for RollUp {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut Formatter) -> fmt::Result {
        if format != DisplayFormatType::TreeRender {
            f.write_str("RollUp, ")?;
        }
        self.aggregate.fmt_as(format, f)
    }
}

impl ExecutionPlan for RollUp {
    fn name(&self) -> &'static str {
        "RollUp"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.aggregate.children()
    }

    fn apply_expressions(
        &self,
        act: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(act)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let anew = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, anew)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let aggregate = Arc::new(self.aggregate.clone()).replace_children(children, options)?;
        let aggregate = aggregate.downcast_ref::<AggregateExec>().cloned();
        let aggregate = aggregate.ok_or_else(|| {
            DataFusionError::Internal("an aggregate with other children is one".to_owned())
        })?;
        Ok(Arc::new(Self::new(aggregate)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let aggregate = &self.aggregate;
        let input = aggregate.input().execute(partition, Arc::clone(&context))?;
        let schema = aggregate.schema();
        let kinds = schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone());
        let input_schema = aggregate.input().schema();
        let keys = aggregate.group_expr().input_exprs();
        let keys = keys
            .iter()
            .map(|key| under_cast(key, &input_schema).cloned());
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let accumulators = aggregate.aggr_expr().iter().zip(aggregate.filter_expr());
        let accumulators = accumulators.map(|(sum, filter)| {
            Ok(Sum {
                arguments: sum.expressions(),
                filter: filter.clone(),
                values: sum.create_groups_accumulator()?,
            })
        });
        // It gives its memory back instead of spilling it.
        let consumer = MemoryConsumer::new(format!("RollUp[{partition}]")).with_can_spill(true);
        let building = Building {
            input: Some(input),
            groups: Groups::new(kinds.take(keys.len())),
            keys,
            sums: accumulators.collect::<Result<_>>()?,
            rows: 0,
            numbers: Vec::new(),
            memory: consumer.register(context.memory_pool()),
            batch_rows: context.session_config().batch_size(),
            ready: VecDeque::new(),
            schema: Arc::clone(&schema),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = stream::try_unfold(building, |mut building| async move {
            Ok(building.next().await?.map(|batch| (batch, building)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Of a key that is a cast of codes to texts the codes: one cast for each group is enough.
fn under_cast<'a>(
    key: &'a Arc<dyn PhysicalExpr>,
    input: &Schema,
) -> Result<&'a Arc<dyn PhysicalExpr>> {
    if let Some(cast) = key.downcast_ref::<CastExpr>()
        && cast.cast_type().is_string()
        && is_coded(&cast.expr().data_type(input)?)
    {
        return Ok(cast.expr());
    }
    Ok(key)
}

/// What is reckoned for each group.
struct Sum {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    values: Box<dyn GroupsAccumulator>,
}

/// The groups of a partition.
struct Building {
    /// Until it has ended.
    input: Option<SendableRecordBatchStream>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    groups: Groups,
    sums: Vec<Sum>,
    /// Those of the groups.
    rows: usize,
    /// Of the rows of a batch, the groups.
    numbers: Vec<usize>,
    memory: MemoryReservation,
    batch_rows: usize,
    /// Groups to be handed out.
    ready: VecDeque<RecordBatch>,
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

impl Building {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.metrics.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
            let Some(input) = &mut self.input else {
                self.metrics.done();
                return Ok(None);
            };
            let batch = input.next().await.transpose()?;
            let time = self.metrics.elapsed_compute().clone();
            let _timer = time.timer();
            match batch {
                Some(batch) => self.add(&batch)?,
                None => {
                    self.input = None;
                    self.hand_out()?;
                }
            }
        }
    }

    /// Adds rows to their groups. Hands the groups out where memory is short, and where there is
    /// about one for each row, so that keeping them saves nothing.
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let values = |expr: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> {
            expr.evaluate(batch)?.into_array(batch.num_rows())
        };
        let keys = self.keys.iter().map(values).collect::<Result<Vec<_>>>()?;
        self.groups.number(&keys, &mut self.numbers);
        for sum in &mut self.sums {
            let arguments = sum.arguments.iter().map(values);
            let arguments = arguments.collect::<Result<Vec<_>>>()?;
            let filter = sum.filter.as_ref().map(values).transpose()?;
            let filter = filter.as_ref().map(|filter| filter.as_boolean());
            let groups = self.groups.count();
            match filter {
                Some(filter) if filter.true_count() < batch.num_rows() / FEW => {
                    let (arguments, numbers) = picked(filter, &arguments, &self.numbers)?;
                    // Without a filter, each group would be taken for one that has a row.
                    let all = BooleanArray::new(BooleanBuffer::new_set(numbers.len()), None);
                    sum.values
                        .update_batch(&arguments, &numbers, Some(&all), groups)?;
                }
                _ => sum
                    .values
                    .update_batch(&arguments, &self.numbers, filter, groups)?,
            }
        }
        self.rows += batch.num_rows();
        let sums = self.sums.iter().map(|sum| sum.values.size());
        let bytes = self.groups.size() + sums.sum::<usize>();
        let is_in_vain = self.rows >= PROBE_ROWS && self.groups.count() > self.rows / 5 * 4;
        if is_in_vain || self.memory.try_resize(bytes).is_err() {
            self.hand_out()?;
        }
        Ok(())
    }

    fn hand_out(&mut self) -> Result<()> {
        if self.groups.count() == 0 {
            return Ok(());
        }
        let mut columns = self.groups.hand_over()?;
        for sum in &mut self.sums {
            columns.extend(sum.values.state(EmitTo::All)?);
        }
        self.rows = 0;
        self.memory.free();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let starts = (0..batch.num_rows()).step_by(self.batch_rows);
        let slice = |start| batch.slice(start, self.batch_rows.min(batch.num_rows() - start));
        self.ready.extend(starts.map(slice));
        Ok(())
    }
}

/// The rows for which the filter holds.
fn picked(
    filter: &BooleanArray,
    arguments: &[ArrayRef],
    numbers: &[usize],
) -> Result<(Vec<ArrayRef>, Vec<usize>)> {
    let holds = match filter.nulls() {
        Some(nulls) => filter.values() & nulls.inner(),
        None => filter.values().clone(),
    };
    let numbers = holds.set_indices().map(|row| numbers[row]).collect();
    let filter = BooleanArray::new(holds, None);
    let arguments = arguments
        .iter()
        .map(|values| compute::filter(values, &filter));
    Ok((arguments.collect::<Result<_, _>>()?, numbers))
}
