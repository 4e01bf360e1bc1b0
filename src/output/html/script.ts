/**
 * The program of the page. It moves a line over a timeline, by pointer or arrow keys, and writes the values
 * of that time below. Without it everything is still in the tables. On paper it unfolds everything.
 */
export const SCRIPT = `
const all=JSON.parse(document.getElementById('stops').textContent);
for(const reader of document.querySelectorAll('.reader')){
  const index=reader.dataset.stops,stops=all[index],cursor=reader.firstElementChild,readout=document.getElementById('readout-'+index);
  if(!stops.length)continue;
  let at=0;
  const show=(next)=>{
    at=Math.min(stops.length-1,Math.max(0,next));
    cursor.hidden=false;
    cursor.style.left=stops[at][0]*100+'%';
    readout.textContent=stops[at][1];
    reader.setAttribute('aria-valuenow',at);
    reader.setAttribute('aria-valuetext',stops[at][1]);
  };
  const nearest=(share)=>{
    let best=0;
    for(let i=1;i<stops.length;i++)if(Math.abs(stops[i][0]-share)<Math.abs(stops[best][0]-share))best=i;
    return best;
  };
  const rest=()=>{cursor.hidden=true;readout.textContent='';};
  const steps={ArrowLeft:-1,ArrowDown:-1,ArrowRight:1,ArrowUp:1,PageUp:10,PageDown:-10,Home:-1e9,End:1e9};
  reader.hidden=false;
  reader.setAttribute('aria-valuemax',stops.length-1);
  reader.setAttribute('aria-valuetext',stops[0][1]);
  const point=(event)=>{const box=reader.getBoundingClientRect();show(nearest((event.clientX-box.left)/box.width));};
  reader.addEventListener('pointermove',point);
  reader.addEventListener('pointerdown',point);
  reader.addEventListener('pointerleave',()=>{if(document.activeElement!==reader)rest();});
  reader.addEventListener('focus',()=>show(at));
  reader.addEventListener('blur',rest);
  reader.addEventListener('keydown',(event)=>{
    const step=steps[event.key];
    if(step===undefined)return;
    event.preventDefault();
    show(at+step);
  });
}
addEventListener('beforeprint',()=>{for(const one of document.querySelectorAll('details'))one.open=true;});
`;
