//! `stoa access-matrix --hub H`: who may see, download, deploy and train which model of a hub.

use std::process::ExitCode;

use clap::Args;
use stoa_models_stoa::types::{
    Access, ContentAccess, GetAccessMatrixRequest, GetAccessMatrixResponse, MatrixPrincipal,
};

use super::report::{csv_cell, print, table};
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

const PAGE: i64 = 100;

#[derive(Args)]
pub struct AccessMatrixArgs {
    /// The hub's name (in the management account, or SageMakerPublicHub) or ARN.
    #[arg(long)]
    hub: String,
    /// Only principals of this account. Again for more; all accounts without it, standalone ones too.
    #[arg(long = "account")]
    accounts: Vec<String>,
    /// Also principals and models without any access.
    #[arg(long)]
    denied: bool,
    /// One row for each principal and model, as CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(arguments: &AccessMatrixArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let mut input = GetAccessMatrixRequest {
        hub_name: arguments.hub.clone(),
        account_ids: (!arguments.accounts.is_empty()).then(|| arguments.accounts.clone()),
        include_denied: arguments.denied.then_some(true),
        max_results: Some(PAGE),
        next_token: None,
    };
    let mut whole: Option<GetAccessMatrixResponse> = None;
    loop {
        let answer = call(&data_dir, &AdminCommand::GetAccessMatrix(input.clone()))?;
        let mut page: GetAccessMatrixResponse = serde_json::from_value(answer)?;
        input.next_token = page.next_token.take();
        match &mut whole {
            None => whole = Some(page),
            Some(whole) => {
                whole.principals.append(&mut page.principals);
                whole.principals_looked_at += page.principals_looked_at;
            }
        }
        if input.next_token.is_none() {
            break;
        }
    }
    let whole = whole.ok_or("the server answered nothing")?;
    let text = match (arguments.json, arguments.csv) {
        (true, _) => serde_json::to_string_pretty(&whole)? + "\n",
        (_, true) => csv(&whole),
        _ => report(&whole),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

const VERBS: [&str; 4] = ["SEE", "DOWNLOAD", "DEPLOY", "TRAIN"];

fn verbs(row: &ContentAccess) -> [Access; 4] {
    [row.see, row.download, row.deploy, row.train]
}

fn csv(matrix: &GetAccessMatrixResponse) -> String {
    let mut out = "principal,principal_type,account,model,model_type,see,download,deploy,train\n".to_owned();
    for principal in &matrix.principals {
        for row in &principal.contents {
            let mut cells = vec![
                csv_cell(&principal.principal_arn),
                principal.principal_type.to_string(),
                principal.account_id.clone(),
                csv_cell(&row.content_name),
                row.content_type.clone(),
            ];
            cells.extend(verbs(row).map(|access| access.as_str().to_ascii_lowercase()));
            out.push_str(&cells.join(","));
            out.push('\n');
        }
    }
    out
}

/// Models that a principal has the same access to share a row.
fn report(matrix: &GetAccessMatrixResponse) -> String {
    let mut rows = Vec::new();
    for principal in &matrix.principals {
        rows.extend(rows_of(principal, matrix.contents.len()));
    }
    let head: Vec<&str> = ["PRINCIPAL"].into_iter().chain(VERBS).chain(["MODELS"]).collect();
    let (models, looked) = (matrix.contents.len(), matrix.principals_looked_at);
    format!("{}: {models} models, {looked} principals\n\n{}", matrix.hub_arn, table(&head, &rows))
}

fn rows_of(principal: &MatrixPrincipal, models: usize) -> Vec<Vec<String>> {
    let mut groups: Vec<([Access; 4], Vec<&str>)> = Vec::new();
    for row in &principal.contents {
        let access = verbs(row);
        match groups.iter_mut().find(|(known, _)| *known == access) {
            Some((_, names)) => names.push(&row.content_name),
            None => groups.push((access, vec![&row.content_name])),
        }
    }
    let named = |names: &[&str]| match names {
        all if all.len() == models && models > 1 => format!("all {models}"),
        few if few.len() <= 3 => few.join(", "),
        [first, second, ..] => format!("{first}, {second} and {} more (--csv lists them)", names.len() - 2),
        _ => String::new(),
    };
    let short = |access: Access| match access {
        Access::Allowed => "yes",
        Access::Conditional => "if",
        Access::Denied => "-",
    };
    let row = |(access, names): ([Access; 4], Vec<&str>)| {
        let mut cells = vec![principal.principal_arn.clone()];
        cells.extend(access.map(|access| short(access).to_owned()));
        cells.push(named(&names));
        cells
    };
    groups.into_iter().map(row).collect()
}
