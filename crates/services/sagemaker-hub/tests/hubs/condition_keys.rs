//! Hand-written targets set the condition keys that the overlay says they do (`custom_keys`, checked against AWS's
//! authorization facts), shown with an input that has everything in it.

use stoa_models_authz::hand_written;
use stoa_models_sagemaker::operations::SERVICE;
use stoa_schema::{Value, fullest};

use crate::support::world;

#[tokio::test]
async fn hand_written_targets_set_the_keys_they_are_said_to_set() {
    let world = world().await;
    let cx = world.admin();
    let (mut looked_at, mut missing) = (0, Vec::new());
    for declared in hand_written("sagemaker") {
        let spec = SERVICE.operation(declared.operation).unwrap();
        // The other families look at their own.
        let Some(targets) = world.registry().route(spec).and_then(|route| route.targets.as_ref()) else { continue };
        let input = spec.input.map_or_else(Value::empty, |shape| fullest(shape, &|_| Some("text".to_owned())));
        let targets = targets(&cx, &input).await.unwrap();
        let shown: Vec<_> = targets
            .iter()
            .map(|target| (target.action.to_string(), target.keys.iter().map(|(key, _)| key.to_owned()).collect()))
            .collect();
        missing.extend(declared.missing(&shown).iter().map(|what| format!("{}: {what}", declared.operation)));
        looked_at += 1;
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(looked_at > 0);
}
