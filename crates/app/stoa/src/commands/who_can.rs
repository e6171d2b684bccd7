//! `stoa who-can ACTION ARN`: who may do something, and why.

use std::process::ExitCode;

use clap::Args;
use stoa_models_stoa::types::{
    Access, ContextEntry, DecidingCondition, ListPrincipalsWithAccessRequest, ListPrincipalsWithAccessResponse,
    PrincipalAccess, StatementEffect,
};

use super::report::{print, statement};
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

const PAGE: i64 = 1000;

#[derive(Args)]
pub struct WhoCanArgs {
    /// The action, such as sagemaker:DescribeHubContent.
    action: String,
    /// The ARN of the resource, or `*`.
    resource: String,
    /// Only principals of this account. Again for more; all accounts without it, standalone ones too.
    #[arg(long = "account")]
    accounts: Vec<String>,
    /// A condition key that the request would have: KEY=VALUE. Again for more keys, and for more values of one.
    #[arg(long = "key", value_name = "KEY=VALUE")]
    keys: Vec<String>,
    /// Also those who may not, with the reason.
    #[arg(long)]
    denied: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(arguments: &WhoCanArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let mut input = ListPrincipalsWithAccessRequest {
        action: arguments.action.clone(),
        resource: arguments.resource.clone(),
        account_ids: (!arguments.accounts.is_empty()).then(|| arguments.accounts.clone()),
        context: context(&arguments.keys)?,
        include_denied: arguments.denied.then_some(true),
        max_results: Some(PAGE),
        next_token: None,
    };
    let mut whole: Option<ListPrincipalsWithAccessResponse> = None;
    loop {
        let answer = call(&data_dir, &AdminCommand::ListPrincipalsWithAccess(input.clone()))?;
        let mut page: ListPrincipalsWithAccessResponse = serde_json::from_value(answer)?;
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
    let text = if arguments.json { serde_json::to_string_pretty(&whole)? + "\n" } else { report(arguments, &whole) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn context(given: &[String]) -> Result<Option<Vec<ContextEntry>>, String> {
    let mut entries: Vec<ContextEntry> = Vec::new();
    for pair in given {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` is not of the form KEY=VALUE"))?;
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.values.push(value.to_owned()),
            None => entries.push(ContextEntry { key: key.to_owned(), values: vec![value.to_owned()] }),
        }
    }
    Ok((!entries.is_empty()).then_some(entries))
}

fn report(arguments: &WhoCanArgs, answer: &ListPrincipalsWithAccessResponse) -> String {
    let mut out = format!("{} on {}\n", arguments.action, arguments.resource);
    for (access, title) in [
        (Access::Allowed, "allowed"),
        (Access::Conditional, "allowed under conditions"),
        (Access::Denied, "not allowed"),
    ] {
        let of = |one: &&PrincipalAccess| one.access == access;
        let mut some = answer.principals.iter().filter(of).peekable();
        if some.peek().is_some() {
            out.push_str(&format!("\n{title}\n"));
        }
        some.for_each(|one| principal(&mut out, one));
    }
    let can = answer.principals.iter().filter(|one| one.access != Access::Denied).count();
    out.push_str(&format!("\n{can} of {} principals looked at\n", answer.principals_looked_at));
    out
}

fn principal(out: &mut String, one: &PrincipalAccess) {
    out.push_str(&format!("  {:9} {}\n", one.principal_type.as_str(), one.principal_arn));
    out.push_str(&format!("            {}\n", one.reason));
    if let Some(matched) = &one.matched {
        let by = statement(&matched.policy_name, matched.statement_id.as_deref(), matched.statement_index);
        out.push_str(&format!("            {}: {by}\n", one.slot));
    }
    for condition in &one.conditions {
        out.push_str(&format!("            {}\n", deciding(condition)));
    }
}

fn deciding(condition: &DecidingCondition) -> String {
    let wanted = condition.values.as_deref().unwrap_or_default().join(", ");
    let by = statement(&condition.policy_name, condition.statement_id.as_deref(), condition.statement_index);
    let must = if condition.effect == StatementEffect::Deny { "unless" } else { "if" };
    format!("{must} {} {} {wanted} ({}: {by})", condition.key, condition.operator, condition.slot)
}
