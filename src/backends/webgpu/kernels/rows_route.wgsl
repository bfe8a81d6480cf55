// The experts of every token and their shares (route.wgsl): workgroup = token.
@group(0) @binding(0) var<storage, read> router: array<f32>;            // [T][E]
@group(0) @binding(1) var<storage, read_write> ids: array<u32>;         // [T][TOP]
@group(0) @binding(2) var<storage, read_write> chosen_shares: array<f32>;  // [T][TOP]
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  route(wid.x, t);
  if (t < TOP) {
    ids[wid.x * TOP + t] = experts[t];
    chosen_shares[wid.x * TOP + t] = share_of(t);
  }
}
