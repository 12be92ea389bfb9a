//! `scale.html`: one file, no script, nothing fetched.

use askama::Template;

use super::plot::{Line, Plot};
use super::sheet::{Findings, Grid, Sheet};
use crate::error::Fault;
use crate::figures::float;

#[derive(Template)]
#[template(path = "scale.html")]
struct Page {
    under: String,
    sections: Vec<Section>,
}

struct Section {
    title: &'static str,
    grid: Grid,
    plots: Vec<String>,
}

/// The page for `findings`.
pub(super) fn render(findings: &Findings) -> Result<String, Fault> {
    let section = |sheet: &Sheet| Ok(Section { title: sheet.part.title(), grid: sheet.grid(), plots: plots(sheet)? });
    let sections = findings.sheets.iter().map(section).collect::<Result<_, Fault>>()?;
    Page { under: findings.under(), sections }.render().map_err(Fault::doing("writing scale.html"))
}

fn plots(sheet: &Sheet) -> Result<Vec<String>, Fault> {
    let mut shown = Vec::new();
    for (title, y, lines) in sheet.part.charts() {
        let line = |(name, figure): &(&'static str, &'static str)| {
            let points = sheet.rows.iter().filter_map(|row| Some((float(row.step), *row.figures.get(*figure)?)));
            Line { name, points: points.collect() }
        };
        shown.extend(Plot { title, x: sheet.part.unit(), y, lines: lines.iter().map(line).collect() }.svg()?);
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::super::sheet::tests::findings;
    use super::*;

    #[test]
    fn the_page_holds_table_faults_and_plots_and_escapes_what_servers_say() {
        let page = render(&findings()).unwrap();
        assert!(page.contains("some &#60;one&#62;"), "{page}");
        assert!(page.contains("<td>90.2</td>") && page.contains("1,000 watchers: it   fell &#60; over"), "{page}");
        // Of memory there is no figure, so no plot.
        assert_eq!(page.matches("<svg").count(), 2, "{page}");
        assert!(!page.contains("<script") && !page.contains("src="), "one file");
    }
}
