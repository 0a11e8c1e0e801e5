//! How large a statement becomes when it is planned.
//!
//! Owns counting what planning multiplies: a common table expression is written out wherever it is
//! named, and a cube has a grouping for each choice of its columns. Leaves the length of the text
//! to `statement`.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, Query, Select, Statement, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::adapters::sql::views::VIEWS;

/// Most tables that a statement may read, each as often as it is written out.
const TABLES_MAX: u64 = 500;

/// Most groupings of a `GROUP BY`.
const GROUPINGS_MAX: u64 = 100;

/// What each view comes to, counted the same way: a view stands behind those that it reads.
static VIEW_TABLES: LazyLock<HashMap<&'static str, u64>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for (view, sql) in VIEWS {
        let statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap_or_default();
        let mut expansion = Expansion::over(&known);
        // What can't be read does not become a view either.
        let read = statements
            .iter()
            .all(|text| text.visit(&mut expansion).is_continue());
        let tables = if read { expansion.tables } else { u64::MAX };
        known.insert(view, tables);
    }
    known
});

/// What is too much in a statement, if anything.
pub(super) fn excess(statement: &Statement) -> Option<String> {
    let mut expansion = Expansion::over(&VIEW_TABLES);
    if let ControlFlow::Break(groupings) = statement.visit(&mut expansion) {
        return Some(format!(
            "GROUP BY makes {groupings} groupings, more than {GROUPINGS_MAX}: name those that \
             are needed by GROUPING SETS"
        ));
    }
    (expansion.tables > TABLES_MAX).then(|| {
        format!(
            "the statement reads more than {TABLES_MAX} tables, each counted as often as the view \
             or the WITH it stands in is named: name these less often"
        )
    })
}

/// Counts tables on the way through a statement.
struct Expansion<'v> {
    views: &'v HashMap<&'static str, u64>,
    queries: Vec<Counted>,
    /// Of the queries that have ended and are no one's part.
    tables: u64,
}

/// A query that is being looked through.
#[derive(Default)]
struct Counted {
    /// The names of its `WITH`, the next one last.
    names: Vec<String>,
    /// Tables of those that were looked through.
    sizes: HashMap<String, u64>,
    tables: u64,
}

impl<'v> Expansion<'v> {
    fn over(views: &'v HashMap<&'static str, u64>) -> Self {
        Self {
            views,
            queries: Vec::new(),
            tables: 0,
        }
    }

    /// What a name comes to; only a single one can be that of a `WITH`.
    fn size(&self, relation: &ObjectName) -> u64 {
        let last = relation.0.last().and_then(|part| part.as_ident());
        let name = last.map(folded).unwrap_or_default();
        let known = self.queries.iter().rev();
        let mut known = known.filter_map(|query| query.sizes.get(&name));
        let size = known.next().filter(|_| relation.0.len() == 1);
        *size.or_else(|| self.views.get(&*name)).unwrap_or(&1)
    }
}

impl Visitor for Expansion<'_> {
    type Break = u64;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<u64> {
        let with = query.with.iter().flat_map(|with| with.cte_tables.iter());
        let names = with.rev().map(|table| folded(&table.alias.name));
        self.queries.push(Counted {
            names: names.collect(),
            ..Counted::default()
        });
        ControlFlow::Continue(())
    }

    /// What stands in a `WITH` ends before all else of the query around it.
    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<u64> {
        let ended = self.queries.pop().unwrap_or_default().tables;
        match self.queries.last_mut() {
            Some(around) => match around.names.pop() {
                Some(name) => {
                    // Without a table it is written out all the same. Of names that only quotes
                    // tell apart the larger one counts.
                    let size = around.sizes.entry(name).or_insert(1);
                    *size = ended.max(*size);
                }
                None => around.tables = around.tables.saturating_add(ended),
            },
            None => self.tables = self.tables.saturating_add(ended),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<u64> {
        let size = self.size(relation);
        if let Some(query) = self.queries.last_mut() {
            query.tables = query.tables.saturating_add(size);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<u64> {
        let groupings = match &select.group_by {
            GroupByExpr::Expressions(parts, _) => parts.iter().map(groupings),
            GroupByExpr::All(_) => return ControlFlow::Continue(()),
        };
        let groupings = groupings.fold(1, u64::saturating_mul);
        if groupings > GROUPINGS_MAX {
            ControlFlow::Break(groupings)
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Groupings of one part of a `GROUP BY`.
fn groupings(part: &Expr) -> u64 {
    match part {
        Expr::Cube(sets) => 1_u64.checked_shl(sets.len() as u32).unwrap_or(u64::MAX),
        Expr::Rollup(sets) => sets.len() as u64 + 1,
        Expr::GroupingSets(sets) => sets.len() as u64,
        _ => 1,
    }
}

/// One name for all ways of writing it.
fn folded(name: &Ident) -> String {
    name.value.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    /// A chain of `length` expressions, each of which reads the one before twice.
    fn doubled(length: usize) -> String {
        let mut sql = "WITH t0 AS (SELECT 1 AS a FROM ledger)".to_owned();
        for at in 1..=length {
            let before = at - 1;
            sql +=
                &format!(", T{at} AS (SELECT x.a FROM \"t{before}\" x JOIN t{before} y USING (a))");
        }
        sql + &format!(" SELECT * FROM t{length}")
    }

    #[test]
    fn what_planning_would_multiply_is_counted_beforehand() {
        let nested =
            "SELECT * FROM ledger WHERE customer IN (WITH a AS (SELECT customer FROM periods)
            SELECT customer FROM a WHERE customer IN (SELECT customer FROM a))";
        for (sql, tables) in [
            ("SELECT 1".to_owned(), 0),
            ("SELECT * FROM ledger a, periods b".to_owned(), 2),
            ("SELECT * FROM overage, purser.public.overage".to_owned(), 2),
            // No table, but one expression in another for each; and names in quotes.
            (
                "WITH a AS (SELECT 1), b AS (SELECT 1 FROM a x, a y) SELECT 1 FROM b x, b y"
                    .to_owned(),
                4,
            ),
            (
                "WITH \"a\"\"\" AS (SELECT 1 FROM ledger x, ledger y), \"B\" AS (SELECT 1 FROM \
                 \"a\"\"\"), b AS (SELECT 1) SELECT 1 FROM \"B\""
                    .to_owned(),
                2,
            ),
            ("WITH a AS (SELECT * FROM ledger) SELECT 1".to_owned(), 0),
            (
                "EXPLAIN SELECT * FROM ledger UNION SELECT * FROM plans".to_owned(),
                2,
            ),
            (nested.to_owned(), 3),
            (doubled(0), 1),
            (doubled(8), 256),
            (doubled(63), 1 << 63),
            (doubled(70), u64::MAX),
        ] {
            let statement = &Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap()[0];
            let mut expansion = Expansion::over(&VIEW_TABLES);
            assert!(statement.visit(&mut expansion).is_continue(), "{sql}");
            assert_eq!(expansion.tables, tables, "{sql}");
            assert_eq!(excess(statement).is_some(), tables > TABLES_MAX, "{sql}");
        }
    }

    #[test]
    fn a_view_counts_as_what_it_reads() {
        let tables = |view: &str| VIEW_TABLES[view];
        assert_eq!((tables("overage"), tables("alerts")), (1, 1));
        assert!(
            (10..30).contains(&tables("signals")),
            "{}",
            tables("signals")
        );
        assert!(VIEW_TABLES.values().all(|tables| *tables < 100));
    }

    #[test]
    fn a_cube_of_many_columns_is_refused() {
        for (group_by, passes) in [
            ("a, b, c", true),
            ("CUBE (a, b, c, d, e, f)", true),
            ("CUBE (a, b, c, d, e, f, g)", false),
            ("ROLLUP (a, b, c), CUBE (a, b, c, d, e)", false),
            ("GROUPING SETS ((a, b), (a), ())", true),
        ] {
            let sql = format!("SELECT 1 FROM (SELECT 1 FROM t GROUP BY {group_by}) AS x");
            let statement = &Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap()[0];
            assert_eq!(excess(statement).is_none(), passes, "{sql}");
        }
    }
}
