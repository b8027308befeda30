import {get} from './api.js';
import {empty, facts, h, panel, pill} from './dom.js';
import {bytes, clock, count} from './format.js';
import {filled} from './parts.js';

const signatures = {ok: ['Signature verified', 'good'], wrong: ['Signature wrong', 'bad'], altered: ['Bytes altered', 'bad'], unknown_key: ['Key not trusted', 'warn'], unsigned: ['Not signed', 'mute']};

export function envelope(root, {part, state}) {
  const number = h('input', {type: 'number', min: 1, step: 1, required: true, value: part[0] ?? '', 'aria-label': 'Record number', placeholder: 'Record number'});
  const go = (to) => { location.hash = `#/envelope/${to}`; };
  const newest = h('button', {type: 'button', onclick: () => { if (state.overview?.log) go(state.overview.log.newest_offset); }}, 'Newest');
  const form = h('form', {class: 'tools', onsubmit: (event) => { event.preventDefault(); go(number.value); }}, number, h('button', {class: 'main'}, 'Open'), newest);
  const body = h('div', {class: 'grid2'});
  root.append(h('div', {class: 'title'}, h('h1', {}, part[0] ? `Envelope, record ${part[0]}` : 'Envelope'),
      h('p', {}, 'Any record of the log, decoded, with its signature and its place in the log’s tree checked by the server now.')), form, body);
  if (!part[0]) {
    body.append(panel('No record chosen', 'amoskys inspect events --full --newest --limit 1', empty('Enter a record’s number, or follow “Evidence” from any event.')));
    return {};
  }
  const at = Number(part[0]);
  form.append(h('button', {type: 'button', disabled: at <= 1, onclick: () => go(at - 1)}, 'Previous'), h('button', {type: 'button', onclick: () => go(at + 1)}, 'Next'));
  filled(body, async () => {
    const told = await get(`envelopes/${encodeURIComponent(part[0])}`);
    const signature = told.signature, proof = told.inclusion, record = told.envelope;
    const [word, tone] = signatures[signature.status] ?? [signature.status, 'mute'];
    const decoded = panel('Decoded', `amoskys inspect events --full --offset ${at} --limit 1`, record
      ? h('pre', {tabindex: '0', 'aria-label': 'Decoded envelope'}, record.text) : empty('This record has no events that could be shown.'));
    decoded.classList.add('wide');
    return [
      panel('Who signed it', 'amoskys inspect verify', h('p', {}, pill(word, tone)), facts([['Agent', signature.agent ?? '–'], ['Lane', signature.lane ?? '–'], ['Sequence', signature.sequence ?? '–'],
        ['Epoch', signature.epoch ?? '–'], ['Key', h('code', {}, signature.key_id ?? '–')], ['Algorithm', signature.algorithm ?? '–']])),
      panel('Where it stands', `amoskys inspect prove ${at}`, h('p', {}, proof.holds ? pill('Inclusion verified', 'good') : pill('Proof broken', 'bad')),
          facts([['Tree', `${count(proof.tree_size)} records`], ['Proof', `${proof.proof.length} hashes`], ['Against', proof.checkpoint ? 'the bus’s signed checkpoint' : 'the log’s present root'],
            ['Received', record ? clock(record.received, true) : '–'], ['Stored', record ? bytes(record.stored_bytes) : '–'], ['Flags', record?.flags.length ? record.flags.join(', ') : 'none']]),
          h('details', {}, h('summary', {}, 'Hashes'), h('pre', {tabindex: '0'}, `leaf ${proof.leaf_hash}\nroot ${proof.root}\n${proof.proof.map((each, i) => `${i + 1}. ${each}`).join('\n')}`))),
      decoded];
  });
  return {};
}
