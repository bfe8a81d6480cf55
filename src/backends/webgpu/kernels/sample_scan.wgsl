// First half of drawing a token: workgroup (x, r) takes CHUNK logits of row r, applies penalties and mask in place,
// and leaves their best (the largest, of equals the lowest id). NaN and +infinity leave the key 0xffffffff.
@group(0) @binding(0) var<storage, read> params: array<u32>;
// [R][VOCAB] f32; words, because shaders cannot write infinity
@group(0) @binding(1) var<storage, read_write> logits: array<u32>;
@group(0) @binding(2) var<storage, read_write> best: array<vec2<u32>>;  // [R][CHUNKS] (key, id)
var<workgroup> keys: array<u32, WG>;
var<workgroup> ids: array<u32, WG>;
fn penalise(r: u32, begin: u32, end: u32, t: u32) {
  let first = record(r, 12u); let count = record(r, 13u);
  for (var i = t; i < count; i += WG) {
    let id = params[first + i]; var n = 0u; var earlier = false;
    for (var j = 0u; j < count; j++) { if (params[first + j] == id) { n++; earlier = earlier || j < i; } }
    if (earlier || id < begin || id >= end) { continue; }
    var v = bitcast<f32>(logits[r * VOCAB + id]);
    v = select(v * setting(r, 4u), v / setting(r, 4u), v > 0.0);
    logits[r * VOCAB + id] = bitcast<u32>(v - (f32(n) * setting(r, 5u) + setting(r, 6u)));
  }
}
fn kernel(wid: vec3<u32>, t: u32) {
  let r = wid.y; let begin = wid.x * CHUNK; let end = min(begin + CHUNK, VOCAB); let live = sampled(r);
  if (live) { penalise(r, begin, end, t); }
  storageBarrier(); workgroupBarrier();
  let masked = (record(r, 11u) & 2u) != 0u; var key = 0u; var id = 0xffffffffu;
  if (live) {
    for (var turn = 0u; turn < CHUNK / WG; turn++) {
      let i = begin + turn * WG + t;
      if (i >= end) { break; }
      let bits = logits[r * VOCAB + i]; var k = key_of(bits);
      if ((bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u) { k = 0xffffffffu; }
      if (masked && ((params[record(r, 14u) + i / 32u] >> (i % 32u)) & 1u) == 0u) {
        logits[r * VOCAB + i] = 0xff800000u; k = select(0x007fffffu, k, k == 0xffffffffu);
      }
      if (k > key) { key = k; id = i; }
    }
  }
  keys[t] = key; ids[t] = id;
  for (var halves = 1u; halves < 9u; halves++) {  // WG = 256
    let d = WG >> halves;
    workgroupBarrier();
    if (t < d && (keys[t + d] > keys[t] || (keys[t + d] == keys[t] && ids[t + d] < ids[t]))) {
      keys[t] = keys[t + d];
      ids[t] = ids[t + d];
    }
  }
  if (t == 0u) { best[r * CHUNKS + wid.x] = vec2<u32>(keys[0], ids[0]); }
}
