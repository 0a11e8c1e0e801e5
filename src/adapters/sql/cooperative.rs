//! Keeping statements stoppable.
//!
//! Owns where a plan gives others a turn. The engine does so where it reads; a join can make rows
//! without end from a few that it has read.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::unnest::UnnestExec;

/// Lets a plan pause after some batches that a join or an unnested list gives out. (One whose
/// filter lets nothing pass gives none out, and does not pause.)
#[derive(Debug)]
pub(super) struct PauseWhereRowsGrow;

impl PhysicalOptimizerRule for PauseWhereRowsGrow {
    fn name(&self) -> &'static str {
        "PauseWhereRowsGrow"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let paused = plan.transform_up(|plan| {
            let grows = plan.children().len() > 1 || plan.is::<UnnestExec>();
            Ok(match grows {
                true => Transformed::yes(Arc::new(CooperativeExec::new(plan))),
                false => Transformed::no(plan),
            })
        });
        Ok(paused?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
