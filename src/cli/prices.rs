//! `purser prices check|publish`

use super::args::{Common, Prices};
use super::failure::Failure;
use crate::domain::rfc3339;
use crate::jobs::prices::{self, PricesError};

pub(super) async fn run(common: &Common, args: Prices) -> Result<(), Failure> {
    match args {
        Prices::Check { folder } => match prices::load_folder(&folder) {
            Ok(book) => {
                for table in book.tables() {
                    let from = rfc3339::format(table.effective_from);
                    let (prices, plans) = (table.prices.len(), table.plans.len());
                    println!(
                        "{} from {from}: {prices} prices, {plans} plans",
                        table.version
                    );
                }
                Ok(())
            }
            Err(faults @ PricesError::Faults(_)) => Err(Failure::No(faults.to_string())),
            Err(error) => Err(error.into()),
        },
        Prices::Publish { folder } => {
            let data = common.folder()?;
            let published = data.prices()?.publish(&folder, data.now().await?).await?;
            for version in &published.new {
                println!("{version}: published");
            }
            for version in &published.known {
                println!("{version}: was published before");
            }
            Ok(())
        }
    }
}
