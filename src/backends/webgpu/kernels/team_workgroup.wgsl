// The same functions as team_subgroup.wgsl through workgroup memory, for devices without subgroups: a team is 32
// threads.
const lanes = 32u;
var<private> lane: u32;
var<workgroup> team_sums: array<f32, WG>;
var<workgroup> team_words: array<u32, WG>;
fn sum_of(n: u32, v: f32, t: u32) -> f32 {
  workgroupBarrier();
  team_sums[t] = v;
  for (var d = n / 2u; d > 0u; d /= 2u) {
    workgroupBarrier();
    if (t % n < d) { team_sums[t] += team_sums[t + d]; }
  }
  workgroupBarrier();
  return team_sums[t - t % n];
}
fn max_of(n: u32, v: f32, t: u32) -> f32 {
  workgroupBarrier();
  team_sums[t] = v;
  for (var d = n / 2u; d > 0u; d /= 2u) {
    workgroupBarrier();
    if (t % n < d) { team_sums[t] = max(team_sums[t], team_sums[t + d]); }
  }
  workgroupBarrier();
  return team_sums[t - t % n];
}
fn team_sum(v: f32, t: u32) -> f32 { return sum_of(32u, v, t); }
fn four_words(w: u32, t: u32) -> vec4<u32> {
  workgroupBarrier();
  team_words[t] = w;
  workgroupBarrier();
  let first = t - t % 4u;
  return vec4<u32>(team_words[first], team_words[first + 1u], team_words[first + 2u], team_words[first + 3u]);
}
fn four_bytes(q: i32, t: u32) -> u32 { return pack4xI8(bitcast<vec4<i32>>(four_words(bitcast<u32>(q), t))); }
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  lane = t % 32u;
  kernel(wid, t);
}
