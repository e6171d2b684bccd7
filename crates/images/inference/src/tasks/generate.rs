//! Text generation: the request's parameters and the loop over tokens; answers `[{"generated_text": ...}]`, one entry a text.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::{
    Task,
    decoder::{Decoder, DecoderGraph},
    sampling::{Random, Strategy, choose, penalise},
    text_input::{Texts, load_tokenizer},
};
use crate::{
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType},
    model_config::{GenerationConfig, GenerationDefaults},
    onnx::Call,
};

const MAX_NEW_TOKENS: usize = 4096;

/// A language model with its tokenizer.
pub(crate) struct Generator {
    graph: DecoderGraph,
    tokenizer: Tokenizer,
    bos: Option<u32>,
    eos: Option<u32>,
    defaults: GenerationDefaults,
}

/// `parameters` of a request, as the clients of hosted text generators send them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    max_new_tokens: Option<usize>,
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    repetition_penalty: Option<f32>,
    seed: Option<u64>,
    return_full_text: Option<bool>,
    stop: Vec<String>,
}

/// Checked parameters.
struct Plan {
    max_new_tokens: usize,
    strategy: Strategy,
    repetition_penalty: f32,
    seed: Option<u64>,
    return_full_text: bool,
    stop: Vec<String>,
}

impl Plan {
    fn new(given: Parameters, defaults: &GenerationDefaults) -> Result<Self, PredictError> {
        let max_new_tokens = given.max_new_tokens.unwrap_or(defaults.max_new_tokens);
        let temperature = given.temperature.unwrap_or(defaults.temperature);
        let top_p = given.top_p.unwrap_or(defaults.top_p);
        let repetition_penalty = given.repetition_penalty.unwrap_or(1.0);
        let check = |holds: bool, message: &str| if holds { Ok(()) } else { Err(PredictError::bad(message)) };
        check((1..=MAX_NEW_TOKENS).contains(&max_new_tokens), "`max_new_tokens` must be between 1 and 4096")?;
        check(temperature > 0.0 && temperature.is_finite(), "`temperature` must be above 0")?;
        check(top_p > 0.0 && top_p <= 1.0, "`top_p` must be above 0 and at most 1")?;
        check(repetition_penalty > 0.0 && repetition_penalty.is_finite(), "`repetition_penalty` must be above 0")?;
        let strategy = if given.do_sample.unwrap_or(defaults.do_sample) {
            Strategy::Sample { temperature, top_k: given.top_k.unwrap_or(defaults.top_k), top_p }
        } else {
            Strategy::Greedy
        };
        let stop = given.stop.into_iter().filter(|text| !text.is_empty()).collect();
        let return_full_text = given.return_full_text.unwrap_or(false);
        Ok(Self { max_new_tokens, strategy, repetition_penalty, seed: given.seed, return_full_text, stop })
    }
}

impl Generator {
    pub(crate) fn load(model_dir: &Path, config: GenerationConfig) -> Result<Self, ImageError> {
        let graph = DecoderGraph::load(&model_dir.join(&config.model_file), config.decoder)?;
        let tokenizer = load_tokenizer(&model_dir.join(&config.tokenizer_file))?;
        let id = |token: Option<&String>| match token {
            None => Ok(None),
            Some(token) => tokenizer
                .token_to_id(token)
                .map(Some)
                .ok_or_else(|| ImageError::Model(format!("the tokenizer does not know `{token}`"))),
        };
        let (bos, eos) = (id(config.bos_token.as_ref())?, id(config.eos_token.as_ref())?);
        Ok(Self { graph, tokenizer, bos, eos, defaults: config.defaults })
    }

    fn prompt(&self, text: &str) -> Result<Vec<u32>, PredictError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|error| PredictError::bad(format!("the text cannot be tokenized: {error}")))?;
        let mut tokens: Vec<u32> = self.bos.into_iter().collect();
        tokens.extend_from_slice(encoding.get_ids());
        let room = self.graph.context();
        if tokens.is_empty() || tokens.len() >= room {
            let message =
                format!("the text has {} tokens; this model takes 1 to {}", tokens.len(), room.saturating_sub(1));
            return Err(PredictError::bad(message));
        }
        Ok(tokens)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, PredictError> {
        self.tokenizer.decode(tokens, true).map_err(|error| PredictError::Model(error.to_string()))
    }

    /// Ends at the end token, a stop text, the wanted number of tokens, or the end of the context.
    fn continue_text(&self, text: &str, plan: &Plan, call: &Call<'_>) -> Result<String, PredictError> {
        let mut seen = self.prompt(text)?;
        let prompt_length = seen.len();
        let mut decoder = Decoder::new(&self.graph, call);
        let mut logits = decoder.feed(&seen)?;
        let mut random = Random::new(plan.seed);
        let mut out = String::new();
        while seen.len() - prompt_length < plan.max_new_tokens {
            if call.cancel.is_cancelled() {
                return Err(PredictError::Abandoned);
            }
            if plan.repetition_penalty != 1.0 {
                penalise(&mut logits, &seen, plan.repetition_penalty);
            }
            let token = choose(&logits, plan.strategy, &mut random)
                .ok_or_else(|| PredictError::Model("the logits are no numbers".to_owned()))?;
            if Some(token) == self.eos {
                break;
            }
            seen.push(token);
            if !plan.stop.is_empty() {
                out = self.decode(seen.split_at(prompt_length).1)?;
                if let Some(at) = plan.stop.iter().filter_map(|stop| out.find(stop.as_str())).min() {
                    out.truncate(at);
                    return Ok(out);
                }
            }
            if seen.len() >= self.graph.context() {
                break;
            }
            logits = decoder.feed(&[token])?;
        }
        if plan.stop.is_empty() {
            out = self.decode(seen.split_at(prompt_length).1)?;
        }
        Ok(out)
    }
}

impl Task for Generator {
    fn name(&self) -> &'static str {
        "text-generation"
    }

    fn weights(&self) -> usize {
        self.graph.weights()
    }

    fn predict(
        &self,
        content_type: ContentType,
        accept: &Accept,
        body: &[u8],
        call: &Call<'_>,
    ) -> Result<Answer, PredictError> {
        accept.choose(&[ContentType::Json])?;
        let request = Texts::read(content_type, body)?;
        let given = serde_json::from_value(Value::Object(request.parameters))
            .map_err(|error| PredictError::bad(format!("`parameters` cannot be used: {error}")))?;
        let plan = Plan::new(given, &self.defaults)?;
        let mut answers = Vec::with_capacity(request.texts.len());
        for text in &request.texts {
            let continued = self.continue_text(text, &plan, call)?;
            let whole = if plan.return_full_text { format!("{text}{continued}") } else { continued };
            answers.push(json!({"generated_text": whole}));
        }
        Ok(Answer::json(&Value::Array(answers)))
    }
}
