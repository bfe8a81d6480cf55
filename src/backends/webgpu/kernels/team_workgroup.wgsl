// The same functions as team_subgroup.wgsl through workgroup memory, for devices without subgroups: a team is 32
// threads.
const lanes = 32u;
var<private> lane: u32;
var<workgroup> team_sums: array<f32, WG>;
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
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  lane = t % 32u;
  kernel(wid, t);
}
